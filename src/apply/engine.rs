//! The walk over the graph of steps.

use std::collections::{BTreeSet, VecDeque};
use std::sync::PoisonError;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::aws::execute::Execute;
use crate::plan::{Step, StepKind};

use super::interrupt::Interrupt;
use super::waves::Wavefront;
use super::{Context, Event, Failure, Outcome, Report};

/// What waits and what may begin.
struct Graph<'a> {
    steps: &'a [Step],
    waiting_for: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    ready: Ready,
    begun: Vec<bool>,
    outcomes: Vec<Option<Outcome>>,
}

/// Steps that may begin, by what bounds them.
#[derive(Default)]
struct Ready {
    /// Watches, which nothing bounds.
    watches: VecDeque<usize>,
    /// Changes of stacks: so many at a time.
    stacks: VecDeque<usize>,
    /// All else.
    rest: VecDeque<usize>,
}

impl Ready {
    fn push(&mut self, index: usize, kind: StepKind) {
        let queue = match kind {
            kind if kind.is_watch() => &mut self.watches,
            kind if kind.is_stack() => &mut self.stacks,
            _ => &mut self.rest,
        };
        queue.push_back(index);
    }

    /// The next step to begin beside those that run; stacks first, since they take the longest.
    fn next(&mut self, running: &Running, limit: usize, stacks: usize) -> Option<usize> {
        if let Some(watch) = self.watches.pop_front() {
            return Some(watch);
        }
        if running.all >= limit {
            return None;
        }
        let stack = if running.stacks < stacks { self.stacks.pop_front() } else { None };
        stack.or_else(|| self.rest.pop_front())
    }
}

/// How many steps run, watches aside.
#[derive(Default)]
struct Running {
    all: usize,
    /// Those of them that change stacks.
    stacks: usize,
}

impl Running {
    fn begin(&mut self, kind: StepKind) {
        self.all += usize::from(!kind.is_watch());
        self.stacks += usize::from(kind.is_stack());
    }

    fn end(&mut self, kind: StepKind) {
        self.all -= usize::from(!kind.is_watch());
        self.stacks -= usize::from(kind.is_stack());
    }
}

impl<'a> Graph<'a> {
    fn new(steps: &'a [Step]) -> Self {
        let mut dependents = vec![Vec::new(); steps.len()];
        for (index, step) in steps.iter().enumerate() {
            for &dependency in &step.after {
                dependents[dependency].push(index);
            }
        }
        let waiting_for: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
        let mut ready = Ready::default();
        for (index, step) in steps.iter().enumerate().filter(|(index, _)| waiting_for[*index] == 0) {
            ready.push(index, step.kind);
        }
        let (begun, outcomes) = (vec![false; steps.len()], vec![None; steps.len()]);
        Self { steps, waiting_for, dependents, ready, begun, outcomes }
    }

    /// Begins nothing more, because of a step that failed as every other would. Answers with all steps that ended so.
    fn give_up(&mut self, because: usize) -> Vec<usize> {
        self.ready = Ready::default();
        let left: Vec<usize> =
            (0..self.steps.len()).filter(|&step| !self.begun[step] && self.outcomes[step].is_none()).collect();
        for &step in &left {
            self.outcomes[step] = Some(Outcome::NotAttempted { because: Some(because) });
        }
        left
    }

    /// Notes how a step ended; what depended on a failed one is never attempted. Answers with all steps that ended.
    fn end(&mut self, step: usize, outcome: Outcome) -> Vec<usize> {
        let failed = matches!(outcome, Outcome::Failed(_) | Outcome::NotAttempted { .. });
        self.outcomes[step] = Some(outcome);
        if !failed {
            for dependent in std::mem::take(&mut self.dependents[step]) {
                self.waiting_for[dependent] -= 1;
                if self.waiting_for[dependent] == 0 && self.outcomes[dependent].is_none() {
                    self.ready.push(dependent, self.steps[dependent].kind);
                }
            }
            return vec![step];
        }
        let mut ended = vec![step];
        let mut next = 0;
        while let Some(&failed) = ended.get(next) {
            next += 1;
            let fresh: BTreeSet<usize> =
                self.dependents[failed].iter().copied().filter(|&step| self.outcomes[step].is_none()).collect();
            for dependent in fresh {
                self.outcomes[dependent] = Some(Outcome::NotAttempted { because: Some(step) });
                ended.push(dependent);
            }
        }
        ended
    }
}

/// Carries the steps out. Each ends in exactly one outcome.
pub async fn run<E: Execute>(context: &Context<'_, E>, steps: Vec<Step>, interrupt: &Interrupt) -> Report {
    let mut graph = Graph::new(&steps);
    let (limit, stacks) = (context.options.parallelism.max(1), context.options.stacks.max(1));
    let mut tasks = FuturesUnordered::new();
    let mut running = Running::default();
    let mut waves = Wavefront::of(context.options.waves.as_ref(), &mut graph.ready.rest);
    loop {
        if interrupt.is_pulled() {
            // A rotation that was accepted is under way whatever is done here: its watch looks once, and says how it does.
            graph.ready.stacks.clear();
            graph.ready.rest.clear();
            waves.clear();
        }
        while let Some(index) = graph.ready.next(&running, limit, stacks) {
            let step = &graph.steps[index];
            running.begin(step.kind);
            graph.begun[index] = true;
            context.observer.event(&Event::Started { step: index });
            tasks.push(async move { (index, attempt(context, index, step, interrupt).await) });
        }
        let Some((index, outcome)) = tasks.next().await else {
            if waves.next(&mut graph.ready.rest, context.observer, interrupt).await {
                continue;
            }
            break;
        };
        running.end(steps[index].kind);
        waves.note(&outcome);
        let without_credentials =
            matches!(&outcome, Outcome::Failed(Failure::Aws(error)) if error.kind.is_of_credentials());
        let mut ended = graph.end(index, outcome);
        if without_credentials {
            ended.extend(graph.give_up(index));
        }
        for ended in ended {
            if let Some(outcome) = &graph.outcomes[ended] {
                context.observer.event(&Event::Ended { step: ended, outcome: outcome.clone() });
            }
        }
    }
    let outcomes =
        graph.outcomes.into_iter().map(|outcome| outcome.unwrap_or(Outcome::NotAttempted { because: None })).collect();
    drop(tasks);
    let moved = context.moved.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let kept = context.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Report { outcomes, steps, interrupted: interrupt.is_pulled(), moved, kept, stopped: waves.stopped(), again: None }
}

async fn attempt<E: Execute>(context: &Context<'_, E>, index: usize, step: &Step, interrupt: &Interrupt) -> Outcome {
    let result: Result<Outcome, Failure> = match step.kind {
        StepKind::Stack => context.stack(index, step, interrupt).await,
        StepKind::Configuration => context.configuration(index, step, interrupt).await,
        StepKind::Code => context.code(index, step, interrupt).await,
        StepKind::Permission => context.permission(index, step).await,
        StepKind::Rotation => context.rotation(index, step, interrupt).await,
        StepKind::Watch | StepKind::WatchTest => context.watch(index, step, interrupt).await,
        StepKind::Disable => context.disable(step).await,
        StepKind::Repair => context.repair(step).await,
        StepKind::DeleteStack => context.delete(index, step).await,
    };
    result.unwrap_or_else(Outcome::Failed)
}
