//! The scenes that the demo can play. A scene is a program, the model that it asks, and how many customers it has.
//!
//! To add one: a module with its [`Program`], a variant here, and an arm in each function.

use super::Args;
use super::model::{self, Model};
use super::overload;
use super::program::Program;
use super::shop::CoffeeShopAgent;
use clap::ValueEnum;
use glassbox_sim::{Script, Sim};

/// What the demo plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// A coffee shop whose customers come one after another and then together
    CoffeeShop,
    /// 500 agents at a provider that takes 20 calls at once and 600 a minute, and fails at times; takes a minute
    Overload,
}

impl Scene {
    /// Names the program in its spans.
    pub(super) const fn service_name(self) -> &'static str {
        match self {
            Self::CoffeeShop => "coffee-shop",
            Self::Overload => "overload",
        }
    }

    /// Returns how many customers come together where nothing else is asked for.
    pub(super) const fn customers(self) -> u64 {
        match self {
            Self::CoffeeShop => 4,
            Self::Overload => 500,
        }
    }

    /// Returns how many times faster than real the simulated provider is where nothing else is asked for.
    pub(super) const fn speed(self) -> f64 {
        match self {
            Self::CoffeeShop => 4.0,
            // A minute's limit is about minutes.
            Self::Overload => 1.0,
        }
    }

    /// Says what is going to be played.
    pub(super) fn opening(self, customers: u64) -> String {
        let first = if customers > 4 { " (the first four)" } else { "" };
        match self {
            Self::CoffeeShop => format!(
                "The coffee shop: {customers} customers, one after another{first}, then together."
            ),
            Self::Overload => overload::opening(customers),
        }
    }

    pub(super) fn model(self, args: &Args) -> anyhow::Result<Model> {
        match self {
            Self::CoffeeShop => model::choose(args, |args| {
                let sim = Sim::builder().script(Script::coffee_shop());
                model::simulated(args, sim, |lm| lm)
            }),
            Self::Overload => overload::model(args),
        }
    }

    pub(super) fn program(self, model: &Model) -> Box<dyn Program> {
        match self {
            Self::CoffeeShop | Self::Overload => Box::new(CoffeeShopAgent::new(&model.lm)),
        }
    }
}
