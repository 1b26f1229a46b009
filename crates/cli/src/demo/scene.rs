//! The scenes that the demo can play. A scene is a program, the model that it asks, and how many customers it has.
//!
//! To add one: a module with its [`Program`], a variant here, and an arm in each function.

use super::Args;
use super::model::{self, Model};
use super::orders::{self, Desk};
use super::overload;
use super::program::Program;
use super::research::{self, Editor};
use super::sales::{self, Analyst};
use super::shop::CoffeeShopAgent;
use super::stream::Detail;
use clap::ValueEnum;
use glassbox_sim::{Script, Sim};

/// What the demo plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scene {
    /// A coffee shop whose customers come one after another and then together
    CoffeeShop,
    /// A ReAct agent that works out orders with tools, two at a time, of which one fails
    React,
    /// A CodeAct agent that answers questions with Python, of which the first fails
    Codeact,
    /// Agents whose tools are agents, at a provider with limits that refuses some calls: waits, retries, a critical path
    Research,
    /// 500 agents at a provider that takes 20 calls at once and 600 a minute, and fails at times; takes a minute
    Overload,
}

impl Scene {
    /// Names the program in its spans.
    pub(super) const fn service_name(self) -> &'static str {
        match self {
            Self::CoffeeShop => "coffee-shop",
            Self::React => "react",
            Self::Codeact => "codeact",
            Self::Research => "research",
            Self::Overload => "overload",
        }
    }

    /// Returns how many customers come together where nothing else is asked for.
    pub(super) const fn customers(self) -> u64 {
        match self {
            Self::CoffeeShop => 4,
            Self::React | Self::Codeact | Self::Research => 2,
            Self::Overload => 500,
        }
    }

    /// Returns how many times faster than real the simulated provider is where nothing else is asked for.
    pub(super) const fn speed(self) -> f64 {
        match self {
            Self::CoffeeShop | Self::React | Self::Codeact | Self::Research => 4.0,
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
            Self::React => orders::opening(customers),
            Self::Codeact => sales::opening(customers),
            Self::Research => research::opening(customers),
            Self::Overload => overload::opening(customers),
        }
    }

    /// Says how much of what happens is shown while it does.
    pub(super) const fn detail(self, customers: u64) -> Detail {
        match self {
            // More lines than that nobody reads.
            _ if customers > 12 => Detail::Progress,
            Self::CoffeeShop | Self::Overload => Detail::All,
            Self::React | Self::Codeact => Detail::Steps,
            Self::Research => Detail::Outcomes,
        }
    }

    /// Returns how many traces are shown as trees.
    pub(super) const fn trees(self) -> usize {
        match self {
            Self::React | Self::Codeact => 4,
            Self::CoffeeShop | Self::Research | Self::Overload => 1,
        }
    }

    pub(super) fn model(self, args: &Args) -> anyhow::Result<Model> {
        let scripted = |script: Script| {
            model::choose(args, |args| {
                model::simulated(args, Sim::builder().script(script), |lm| lm)
            })
        };
        match self {
            Self::CoffeeShop => scripted(Script::coffee_shop()),
            Self::React => scripted(orders::script()),
            Self::Codeact => scripted(sales::script()),
            Self::Research => research::model(args),
            Self::Overload => overload::model(args),
        }
    }

    pub(super) fn program(self, args: &Args, model: &Model) -> Box<dyn Program> {
        match self {
            Self::CoffeeShop | Self::Overload => Box::new(CoffeeShopAgent::new(&model.lm)),
            Self::React => Box::new(Desk::new(&model.lm)),
            Self::Codeact => Box::new(Analyst::new(&model.lm)),
            Self::Research => Box::new(Editor::new(&model.lm, args.speed())),
        }
    }
}
