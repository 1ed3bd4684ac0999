//! A model of a plan of many accounts, in virtual time: what no machine here can measure.
//!
//! Calls wait for a token of their account's quota, then for a core of the machine that plans, then for the network. Which calls there
//! are, in which order, and how many side by side is what `src/aws/observe` does; [`Plan::time`] of a fleet that can be measured is
//! held against the measured one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Requests a second that an account and region lets through, and as many at once.
const DESCRIBE: u64 = 10_000;
const LIST: u64 = 100;
const GET_FUNCTION: u64 = 100;
const GET_POLICY: u64 = 15;

/// How much of a target is read side by side: as the tool does it.
const SECRETS_AT_ONCE: (usize, usize) = (64, 256);
const CALLS_A_CONNECTION: usize = 8;
const FUNCTIONS_AT_ONCE: usize = 8;

/// Targets that are read side by side: as the tool does it.
pub const TARGETS_AT_ONCE: usize = 8;

/// What is asked of the model: jobs of a pipeline's matrix, cores of each, targets side by side, latency in milliseconds.
pub const SCALES: [(usize, usize, usize, u64); 9] = [
    (1, 2, TARGETS_AT_ONCE, 10),
    (1, 2, TARGETS_AT_ONCE, 50),
    (1, 2, 32, 50),
    (1, 8, 32, 50),
    (1, 8, 128, 50),
    (1, 32, 1000, 50),
    (10, 2, TARGETS_AT_ONCE, 50),
    (100, 2, TARGETS_AT_ONCE, 50),
    (1000, 2, TARGETS_AT_ONCE, 50),
];

/// Secrets that a page of `ListSecrets` holds.
const PAGE: usize = 100;

/// What is planned, by what, over which network.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Accounts (and regions).
    pub targets: usize,
    /// In each.
    pub secrets: usize,
    /// In each.
    pub functions: usize,
    /// Whether each target's role is assumed first.
    pub role: bool,
    /// Targets that are read side by side.
    pub targets_at_once: usize,
    /// From a request to its answer.
    pub latency: Duration,
    /// Processor time that a call takes, here.
    pub cpu: Duration,
    /// Of the machine that plans.
    pub cores: usize,
    /// Whether quotas hold.
    pub quotas: bool,
}

/// What came out.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// How long it takes.
    pub time: Duration,
    /// How much of that the cores are busy, from 0 to 1.
    pub busy: f64,
    /// All calls.
    pub calls: u64,
}

/// The parts of reading one target; each begins when the one before it in its chain has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    AssumeRole,
    Identity,
    Secret,
    Page,
    Stacks,
    Function,
    Policy,
    Application,
}

/// A token bucket, as the time at which it will be full again.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Takes a token at this moment or as soon as there is one; when that is.
    fn take(&mut self, now: u64, rate: u64) -> u64 {
        let second = 1_000_000_000;
        let at = now.max(self.full_at.saturating_sub(second - second / rate));
        self.full_at = self.full_at.max(at) + second / rate;
        at
    }
}

/// One target being read.
#[derive(Debug, Clone, Copy, Default)]
struct Target {
    secrets_left: usize,
    pages_left: usize,
    has_first_page: bool,
    functions_left: usize,
    open: usize,
    describe: Bucket,
    list: Bucket,
    function: Bucket,
    policy: Bucket,
}

/// When, in which order, whose, what, and whether it is an answer.
type Event = (u64, u64, usize, Call, bool);

struct Run {
    plan: Plan,
    targets: Vec<Target>,
    waiting: VecDeque<usize>,
    events: BinaryHeap<Reverse<Event>>,
    cores: BinaryHeap<Reverse<u64>>,
    number: u64,
    calls: u64,
    end: u64,
}

impl Plan {
    /// How long it takes.
    pub fn time(self) -> Outcome {
        let each = Target {
            secrets_left: self.secrets,
            // The two ends of a list meet in the middle of a page.
            pages_left: self.secrets.div_ceil(PAGE) + usize::from(self.secrets > PAGE),
            functions_left: self.functions,
            ..Target::default()
        };
        let mut run = Run {
            plan: self,
            targets: vec![each; self.targets],
            waiting: (0..self.targets).collect(),
            events: BinaryHeap::new(),
            cores: (0..self.cores.max(1)).map(|_| Reverse(0)).collect(),
            number: 0,
            calls: 0,
            end: 0,
        };
        for _ in 0..self.targets_at_once.max(1) {
            run.begin(0);
        }
        while let Some(Reverse((now, _, target, call, answered))) = run.events.pop() {
            run.end = run.end.max(now);
            if answered { run.answer(now, target, call) } else { run.send(now, target, call) }
        }
        let cpu = nanos(self.cpu) as f64 * run.calls as f64;
        let busy = cpu / (run.end.max(1) as f64 * self.cores.max(1) as f64);
        Outcome { time: Duration::from_nanos(run.end), busy, calls: run.calls }
    }
}

impl Run {
    /// Begins the next target, if one waits.
    fn begin(&mut self, now: u64) {
        if let Some(target) = self.waiting.pop_front() {
            self.ask(now, target, if self.plan.role { Call::AssumeRole } else { Call::Identity });
        }
    }

    /// A call that is ready to be made, as soon as its quota lets it.
    fn ask(&mut self, now: u64, target: usize, call: Call) {
        let one = &mut self.targets[target];
        one.open += 1;
        let at = match call {
            _ if !self.plan.quotas => now,
            Call::Secret => one.describe.take(now, DESCRIBE),
            Call::Page => one.list.take(now, LIST),
            Call::Function => one.function.take(now, GET_FUNCTION),
            Call::Policy => one.policy.take(now, GET_POLICY),
            _ => now,
        };
        self.push(at, target, call, false);
    }

    fn push(&mut self, at: u64, target: usize, call: Call, answered: bool) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, target, call, answered)));
    }

    /// A call takes the core that is free first.
    fn send(&mut self, now: u64, target: usize, call: Call) {
        self.calls += 1;
        let free = self.cores.pop().map_or(now, |Reverse(free)| free);
        let sent = now.max(free) + nanos(self.plan.cpu);
        self.cores.push(Reverse(sent));
        self.push(sent + nanos(self.plan.latency), target, call, true);
    }

    fn answer(&mut self, now: u64, target: usize, call: Call) {
        self.targets[target].open -= 1;
        match call {
            Call::AssumeRole => self.ask(now, target, Call::Identity),
            Call::Identity => {
                let (few, most) = SECRETS_AT_ONCE;
                for _ in 0..(self.plan.secrets / CALLS_A_CONNECTION).clamp(few, most) {
                    self.next_secret(now, target);
                }
                self.next_page(now, target);
                self.ask(now, target, Call::Stacks);
            }
            Call::Secret => self.next_secret(now, target),
            Call::Page => {
                self.next_page(now, target);
                // After the first page, the list is read from its other end too.
                if !std::mem::replace(&mut self.targets[target].has_first_page, true) {
                    self.next_page(now, target);
                }
            }
            Call::Stacks => {
                for _ in 0..FUNCTIONS_AT_ONCE {
                    self.next_function(now, target);
                }
                // The version that runs is the newest.
                self.ask(now, target, Call::Application);
            }
            Call::Function => self.ask(now, target, Call::Policy),
            Call::Policy => self.next_function(now, target),
            Call::Application => {}
        }
        if self.targets[target].open == 0 {
            self.begin(now);
        }
    }

    fn next_secret(&mut self, now: u64, target: usize) {
        if let Some(left) = self.targets[target].secrets_left.checked_sub(1) {
            self.targets[target].secrets_left = left;
            self.ask(now, target, Call::Secret);
        }
    }

    fn next_page(&mut self, now: u64, target: usize) {
        if let Some(left) = self.targets[target].pages_left.checked_sub(1) {
            self.targets[target].pages_left = left;
            self.ask(now, target, Call::Page);
        }
    }

    fn next_function(&mut self, now: u64, target: usize) {
        if let Some(left) = self.targets[target].functions_left.checked_sub(1) {
            self.targets[target].functions_left = left;
            self.ask(now, target, Call::Function);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Plan = Plan {
        targets: 1,
        secrets: 2560,
        functions: 1,
        role: false,
        targets_at_once: 8,
        latency: Duration::from_millis(50),
        cpu: Duration::ZERO,
        cores: 2,
        quotas: true,
    };

    /// Without it, the model could forget calls, or make them in another order than the tool, and still look right.
    #[test]
    fn a_target_takes_the_longest_of_its_chains() {
        // The identity, then the first page of the list, and the others from both ends; secrets, and three calls for the function, go
        // beside them.
        let alone = ALONE.time();
        assert_eq!((alone.time.as_millis(), alone.calls), (50 * 15, 1 + 2560 + 27 + 1 + 1 + 1 + 1));
        // Sixteen targets, eight at a time: two rounds.
        assert_eq!(Plan { targets: 16, ..ALONE }.time().time, alone.time * 2);
        // With enough side by side, one round: each has quotas of its own.
        assert_eq!(Plan { targets: 16, targets_at_once: 16, ..ALONE }.time().time, alone.time);
    }

    /// Without it, a slow machine or a quota would not show in what the model says.
    #[test]
    fn cores_and_quotas_bound_it() {
        let slow = Plan { cpu: Duration::from_millis(10), ..ALONE }.time();
        assert!(slow.time >= Duration::from_millis(10) * 2592 / 2 && slow.busy > 0.9, "{slow:?}");
        let functions = Plan { functions: 45, secrets: 0, ..ALONE };
        // Fifteen policies at once, thirty more at fifteen a second.
        assert!(functions.time().time >= Duration::from_secs(2));
        assert!(Plan { quotas: false, ..functions }.time().time < Duration::from_millis(1500));
    }
}
