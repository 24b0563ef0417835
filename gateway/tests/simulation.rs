//! A workload and an auditor.
//!
//! Random calls, payments, jumps in time, failing endpoints, abandoned calls and restarts drive
//! the real operations on one thread, from a seed. After every step a second, much simpler model
//! in plain maps checks what the gateway says. A failure prints the seed that replays it:
//! `FLORIN_SIMULATION_SEED=… cargo test -p gateway --test simulation`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and may print"
)]

#[path = "simulation/auditor.rs"]
mod auditor;
#[path = "simulation/reserved.rs"]
mod reserved;
#[path = "simulation/workload.rs"]
mod workload;

use workload::Workload;

/// Steps of one run: long enough for restarts, expiries and every retry of a webhook.
const STEPS: u32 = 250;

#[test]
fn the_gateway_agrees_with_the_auditor() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if let Some(seed) = number("FLORIN_SIMULATION_SEED") {
        return runtime.block_on(run(seed));
    }
    let seconds = number("FLORIN_SIMULATION_SECONDS").unwrap_or(2);
    let first = u64::from(std::process::id());
    let mut runs = 0;
    let started = gateway::clock::stopwatch();
    while gateway::clock::stopwatch()
        .saturating_sub(started)
        .as_secs()
        < seconds
        || runs < 3
    {
        runtime.block_on(run(first + runs));
        runs += 1;
    }
    println!("simulation: {runs} runs of {STEPS} steps, first seed {first}");
}

async fn run(seed: u64) {
    /// Says which seed it was if the run does not come to its end.
    struct Blame(u64);
    impl Drop for Blame {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("simulation: the seed was FLORIN_SIMULATION_SEED={}", self.0);
            }
        }
    }
    let _blame = Blame(seed);
    let mut workload = Workload::new(seed).await;
    for _ in 0..STEPS {
        workload.step().await;
        workload.audit().await;
    }
    workload.finish().await;
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
