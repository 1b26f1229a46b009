//! The scene `codeact`: an analyst answers questions about a shop's sales by writing Python, which runs in a sandbox.
//! Its first code has a mistake.

use super::program::{Program, Served};
use glassbox::{BoxFuture, CodeAct, Error, Field, Lm, Module, Signature, Toolbox, tool};
use glassbox_sim::{Entry, Script};

pub(super) fn opening(customers: u64) -> String {
    format!(
        "CodeAct: an analyst answers {customers} questions about a shop's sales by writing Python, which runs in a sandbox:\n\
         another process, without files, network or environment. The first code has a mistake."
    )
}

/// Answer the question from the shop's sales.
#[derive(Signature)]
pub(super) struct Analysis {
    #[input]
    question: String,
    /// A few words.
    #[output]
    answer: String,
    /// The number that it is about.
    #[output]
    number: f64,
}

/// What was sold of a drink on a day.
#[derive(Clone, Debug, Field)]
struct Sale {
    drink: String,
    cups: u32,
    /// Of one cup, in dollars.
    price: f64,
}

const DRINKS: [(&str, f64); 3] = [("espresso", 2.5), ("flat white", 4.0), ("iced latte", 4.5)];

const DAYS: [(&str, [u32; 3]); 5] = [
    ("Monday", [84, 61, 22]),
    ("Tuesday", [90, 66, 30]),
    ("Wednesday", [77, 71, 34]),
    ("Thursday", [88, 69, 41]),
    ("Friday", [102, 90, 77]),
];

/// Lists what was sold on a day of last week.
#[tool]
fn sales(
    /// The day's English name.
    day: String,
) -> Result<Vec<Sale>, String> {
    let Some((_, cups)) = DAYS.into_iter().find(|(known, _)| *known == day) else {
        let days = DAYS.map(|(known, _)| known).join(", ");
        return Err(format!("no sales of {day:?}: there are those of {days}"));
    };
    let sale =
        |((drink, price), cups): ((&str, f64), u32)| Sale { drink: drink.into(), cups, price };
    Ok(DRINKS.into_iter().zip(cups).map(sale).collect())
}

/// A question, and how the simulated model goes about it.
struct Question {
    text: &'static str,
    /// Its first code, which fails, and what it makes of that.
    first: &'static str,
    fixed: &'static str,
    result: &'static str,
    answer: &'static str,
    number: f64,
}

const FETCH: &str = "days = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday']\nweek = {day: sales(day) for day in days}\n";

const QUESTIONS: [Question; 2] = [
    Question {
        text: "Which drink earned most last week?",
        first: "earned = {}\nfor day in days:\n    for sale in week[day]:\n        earned[sale['drink']] += sale['cups'] * sale['price']",
        fixed: "earned = {}\nfor day in days:\n    for sale in week[day]:\n        drink = sale['drink']\n        earned[drink] = earned.get(drink, 0) + sale['cups'] * sale['price']\nfor drink in earned:\n    print(drink, earned[drink])",
        result: "max(earned.values())",
        answer: "flat white",
        number: 1428.0,
    },
    Question {
        text: "Which day was the busiest, by cups?",
        first: "cups = {day: sum(sale['cup'] for sale in week[day]) for day in days}",
        fixed: "cups = {day: sum([sale['cups'] for sale in week[day]]) for day in days}\nfor day in days:\n    print(day, cups[day])",
        result: "max(cups.values())",
        answer: "Friday",
        number: 269.0,
    },
];

/// What the simulated model writes: a mistake, its correction, and the answer.
pub(super) fn script() -> Script {
    QUESTIONS.iter().fold(Script::new(), entries)
}

/// The turns of one question, the latest first: the first entry that matches wins.
fn entries(script: Script, question: &Question) -> Script {
    let turn = |after: &str| Entry::when(question.text).and(after);
    let step = |entry: Entry, thought: &str, code: String, finished: bool| {
        entry.field("thought", thought).field("code", code).field("finished", finished)
    };
    script
        .with(turn("Turn 3").field("answer", question.answer).field("number", question.number))
        .with(step(
            turn("Turn 2"),
            "The table has it all. I take the greatest.",
            question.result.to_owned(),
            true,
        ))
        .with(step(
            turn("Turn 1"),
            "The key was not there. The sales are, so I need not fetch them again.",
            question.fixed.to_owned(),
            false,
        ))
        .with(step(
            Entry::when(question.text),
            "I fetch the week and add it up.",
            format!("{FETCH}{}", question.first),
            false,
        ))
}

/// Answers one question.
pub(super) struct Analyst {
    agent: CodeAct<Analysis>,
}

impl Analyst {
    pub(super) fn new(lm: &Lm) -> Self {
        Self { agent: CodeAct::new(lm, Toolbox::new().with(sales)) }
    }
}

impl Program for Analyst {
    fn serve(&self, number: u64) -> BoxFuture<'_, Result<Served, Error>> {
        Box::pin(async move {
            let question = question(number);
            let reply = self.agent.call(AnalysisInput { question: question.clone() }).await?;
            let did = format!("asks: {question}");
            Ok(Served::new(&reply, did, format!("{} ({})", reply.answer, reply.number)))
        })
    }
}

/// Returns what the n-th customer asks, from 1. After the first ones they come again, with a number, so that no two
/// requests are the same.
fn question(number: u64) -> String {
    let count = QUESTIONS.len() as u64;
    let index = usize::try_from((number - 1) % count).unwrap_or_default();
    let question = QUESTIONS[index].text;
    if number <= count {
        question.to_owned()
    } else {
        format!("{question} (I am number {number}.)")
    }
}
