//! Watchers: they follow what a program spends and does.

pub mod budget;

pub use budget::{Budget, Budgets, Key};
