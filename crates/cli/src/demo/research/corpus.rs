//! What the archive of the scene `research` has, and what there is to be found out.

/// A topic, its sides, and what comes up on the way.
pub(super) struct Subject {
    pub(super) topic: &'static str,
    pub(super) sides: [Side; 4],
    pub(super) afterwards: Side,
    pub(super) report: &'static str,
}

/// One side of a topic: the question, the words to search for, the page that answers it, and the answer.
pub(super) struct Side {
    pub(super) question: &'static str,
    pub(super) words: [&'static str; 2],
    pub(super) page: &'static str,
    pub(super) finding: &'static str,
}

/// A page that every search finds and nobody can read.
pub(super) const GONE: &str = "the-old-forum";

pub(super) const SUBJECTS: [Subject; 2] = [
    Subject {
        topic: "Should our coffee shop roast its own beans?",
        sides: [
            Side {
                question: "What does a small roaster cost?",
                words: ["roaster", "machine price"],
                page: "roasters-compared",
                finding: "A machine for 5 kilos costs about $16,000, and $2,000 to set up.",
            },
            Side {
                question: "How much cheaper are green beans than roasted ones?",
                words: ["green beans", "wholesale"],
                page: "market-report",
                finding: "Green beans are about $9 a kilo cheaper, and lose 15 % of their weight.",
            },
            Side {
                question: "How much work is roasting for 40 kilos a week?",
                words: ["roasting hours", "staff"],
                page: "a-week-of-roasting",
                finding: "It takes one person about ten hours a week, with cleaning.",
            },
            Side {
                question: "What do the rules ask of a roaster in a city?",
                words: ["rules", "smoke"],
                page: "city-handbook",
                finding: "A filter against smoke is needed, and a yearly inspection of the gas.",
            },
        ],
        afterwards: Side {
            question: "What does a smoke filter cost and use?",
            words: ["filter", "afterburner"],
            page: "filters",
            finding: "A filter costs $6,500 and about $90 of gas a month.",
        },
        report: "Roasting 40 kilos a week saves about $15,000 a year before wages. The machine and its filter cost \
                 $24,500, and the work is ten hours a week. It pays for itself in about three years.",
    },
    Subject {
        topic: "Should we sell cold brew in bottles?",
        sides: [
            Side {
                question: "What does bottled cold brew cost to make?",
                words: ["cold brew", "bottles"],
                page: "bottling-costs",
                finding: "A bottle costs $1.40 with the coffee, the glass and the label.",
            },
            Side {
                question: "How long does cold brew keep in a bottle?",
                words: ["shelf life", "storage"],
                page: "keeping-cold-brew",
                finding: "Cooled, it keeps for two weeks; filled hot, for three months.",
            },
            Side {
                question: "What do customers pay for bottled coffee?",
                words: ["prices", "bottled coffee"],
                page: "shelf-survey",
                finding: "Shops in the city ask for $4.50 to $6, most of them $5.",
            },
            Side {
                question: "What licence does bottling need?",
                words: ["licence", "bottling"],
                page: "food-licences",
                finding: "Sold over one's own counter, a food licence is enough.",
            },
        ],
        afterwards: Side {
            question: "How many bottles does a shop of our size sell?",
            words: ["sales", "summer"],
            page: "three-summers",
            finding: "Between 20 and 60 a day in summer, and hardly any in winter.",
        },
        report: "A bottle costs $1.40 and sells for $5, and the licence is there. Cooled bottles keep for two weeks, \
                 which is enough at 20 to 60 a day. It is worth a try from May to September.",
    },
];

/// Returns the names of the pages that have one of the words, and of one that every search finds.
pub(super) fn search(words: &str) -> Vec<String> {
    let words: Vec<_> = words.split_whitespace().map(str::to_lowercase).collect();
    let is_about = |side: &Side| {
        let text =
            format!("{} {} {}", side.words.join(" "), side.page, side.finding).to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let found = sides().filter(|side| is_about(side)).map(|side| side.page);
    found.chain([GONE]).map(str::to_owned).collect()
}

/// Returns what a page says.
pub(super) fn read(name: &str) -> Result<String, String> {
    let page = sides().find(|side| side.page == name);
    page.map(|side| side.finding.to_owned()).ok_or_else(|| match name {
        GONE => "this page is gone: read another one".to_owned(),
        other => format!("no page {other:?}: give a name as the search has it"),
    })
}

fn sides() -> impl Iterator<Item = &'static Side> {
    SUBJECTS.iter().flat_map(|subject| subject.sides.iter().chain([&subject.afterwards]))
}
