//! The Florin server: HTTP, pages, workers, commands.
//!
//! Async lives here, at the edge. What decides is in `domain`, what remembers in `store`, what
//! translates in `dialects`; the operations bring the three together, one transaction each.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod http;
pub mod logs;
pub mod operations;
pub mod operator;
pub mod outbound;
pub mod rails;
pub mod sandbox;
pub mod schemes;
pub mod vault;
pub mod web;
pub mod workers;
