//! The walk over the graph of steps.

use std::collections::{BTreeSet, VecDeque};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use crate::aws::execute::Execute;
use crate::plan::{Step, StepKind};

use super::{Context, Event, Failure, Outcome, Report};

/// Tells a running apply to begin nothing new.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// An interrupt and the sender that pulls it by sending `true`.
    pub fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was pulled.
    pub fn is_pulled(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is pulled, and never where nobody can pull it any more.
    pub async fn pulled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pulled| *pulled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What waits and what may begin.
struct Graph<'a> {
    steps: &'a [Step],
    waiting_for: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    ready: VecDeque<usize>,
    begun: Vec<bool>,
    outcomes: Vec<Option<Outcome>>,
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
        let ready = (0..steps.len()).filter(|&step| waiting_for[step] == 0).collect();
        let (begun, outcomes) = (vec![false; steps.len()], vec![None; steps.len()]);
        Self { steps, waiting_for, dependents, ready, begun, outcomes }
    }

    /// Begins nothing more, because of a step that failed as every other would. Answers with all steps that ended so.
    fn give_up(&mut self, because: usize) -> Vec<usize> {
        self.ready.clear();
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
                    self.ready.push_back(dependent);
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
    let mut running = FuturesUnordered::new();
    let mut watching = FuturesUnordered::new();
    loop {
        if interrupt.is_pulled() {
            // A rotation that was accepted is under way whatever is done here: its watch looks once, and says how it does.
            graph.ready.retain(|&step| graph.steps[step].kind.is_watch());
        }
        let mut kept = VecDeque::new();
        while let Some(index) = graph.ready.pop_front() {
            let step = &graph.steps[index];
            if step.kind.is_watch() {
                graph.begun[index] = true;
                context.observer.event(&Event::Started { step: index });
                watching.push(async move { (index, attempt(context, index, step, interrupt).await) });
            } else if running.len() < context.options.parallelism.max(1) {
                graph.begun[index] = true;
                context.observer.event(&Event::Started { step: index });
                running.push(async move { (index, attempt(context, index, step, interrupt).await) });
            } else {
                kept.push_back(index);
            }
        }
        graph.ready = kept;
        let (index, outcome) = tokio::select! {
            Some(ended) = running.next(), if !running.is_empty() => ended,
            Some(ended) = watching.next(), if !watching.is_empty() => ended,
            else => break,
        };
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
    drop((running, watching));
    Report { outcomes, steps, interrupted: interrupt.is_pulled() }
}

async fn attempt<E: Execute>(context: &Context<'_, E>, index: usize, step: &Step, interrupt: &Interrupt) -> Outcome {
    let result: Result<Outcome, Failure> = match step.kind {
        StepKind::Stack => context.stack(index, step).await,
        StepKind::Configuration => context.configuration(index, step).await,
        StepKind::Code => context.code(index, step).await,
        StepKind::Permission => context.permission(step).await,
        StepKind::Rotation => context.rotation(index, step).await,
        StepKind::Watch | StepKind::WatchTest => context.watch(index, step, interrupt).await,
        StepKind::Disable => context.disable(step).await,
        StepKind::DeleteStack => context.delete(index, step).await,
    };
    result.unwrap_or_else(Outcome::Failed)
}
