//! `florin`: see [`gateway::cli`].

use std::alloc::System;

use zeroizing_alloc::ZeroAlloc;

/// Memory is wiped before it is given back: a card in a call passes through buffers that are not
/// ours, those of the connection it came over.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> std::process::ExitCode {
    gateway::cli::main()
}
