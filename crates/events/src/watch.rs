//! Watchers: they follow what a program spends and does.

pub mod budget;
pub mod alert;
pub mod regression;

pub use alert::{Alert, Alerts};
pub use budget::{Budget, Budgets, Key};
pub use regression::Regression;
