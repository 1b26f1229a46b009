//! `#[derive(Field)]`: schemas, what reading forgives, and that no JSON can hurt it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use glassbox::{Definitions, Field};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};

#[allow(clippy::needless_pass_by_value, reason = "rows of `check` read better without borrows")]
fn check<T: Field + PartialEq + Debug>(written: Value, expected: T) {
    match T::from_json(&written) {
        Ok(read) => assert_eq!(read, expected, "{written}"),
        Err(error) => panic!("{written}: {error}"),
    }
    assert_eq!(T::from_json(&expected.to_json()).unwrap(), expected);
}

#[allow(clippy::needless_pass_by_value, reason = "rows of `check` read better without borrows")]
fn check_refused<T: Field + Debug>(written: Value, message: &str) {
    let error = T::from_json(&written).expect_err("this cannot be read");
    assert_eq!(error.to_string(), message);
}

fn schema<T: Field>() -> Value {
    let mut definitions = Definitions::new();
    let schema = T::schema(&mut definitions);
    let defs = definitions.into_defs();
    if defs.is_empty() { schema } else { json!({ "schema": schema, "$defs": defs }) }
}

/// How large a cup is.
#[derive(Clone, Debug, PartialEq, Field)]
enum Size {
    /// 8 oz.
    Small,
    Medium,
    #[field(rename = "XL", description = "As large as it gets.")]
    ExtraLarge,
}

/// A thing on the menu.
#[derive(Clone, Debug, PartialEq, Field)]
struct Drink {
    /// As printed.
    name: String,
    size: Size,
    #[field(rename = "cost")]
    price: Decimal,
    #[field(default = 1)]
    shots: u8,
    milk: Option<String>,
    #[field(default)]
    extras: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Order {
    Drink(Drink),
    Food {
        /// What to eat.
        dish: String,
        #[field(default)]
        vegan: bool,
    },
    Note(String),
    Nothing,
    ToGo,
}

#[derive(Clone, Debug, PartialEq, Field)]
#[field(rename_all = "camelCase", description = "A menu.")]
struct Menu {
    open_from: u32,
    by_name: HashMap<String, Size>,
}

/// Written as a string.
#[derive(Clone, Debug, PartialEq, Field)]
struct Id(String);

/// A tree.
#[derive(Clone, Debug, PartialEq, Field)]
struct Tree {
    label: String,
    /// Below it.
    children: Vec<Self>,
    /// Another one.
    left: Option<Box<Self>>,
}

#[derive(Clone, Debug, PartialEq, Field)]
enum Expression {
    Number(i64),
    Not(Box<Self>),
    All(Vec<Self>),
    Sum { left: Box<Self>, right: Box<Self> },
    True,
}

#[derive(Clone, Debug, PartialEq, Field)]
struct Forest(Vec<Self>);

#[derive(Clone, Debug, PartialEq, Field)]
struct Pair<A, B = String> {
    first: A,
    second: B,
}

#[derive(Clone, Debug, PartialEq, Field)]
struct Empty {}

#[test]
fn schemas() {
    let schemas = json!({
        "Size": schema::<Size>(),
        "Drink": schema::<Drink>(),
        "Order": schema::<Order>(),
        "Menu": schema::<Menu>(),
        "Id": schema::<Id>(),
        "Option<Size>": schema::<Option<Size>>(),
        "Empty": schema::<Empty>(),
    });
    insta::assert_json_snapshot!(schemas);
}

#[test]
fn schemas_of_recursive_types_have_definitions() {
    let schemas = json!({
        "Tree": schema::<Tree>(),
        "Pair<Forest, Option<Forest>>": schema::<Pair<Forest, Option<Forest>>>(),
        "Expression": schema::<Expression>(),
    });
    insta::assert_json_snapshot!(schemas);
}

#[test]
fn enums_of_names() {
    check(json!("small"), Size::Small);
    check(json!("XL"), Size::ExtraLarge);
    check(json!(" Medium "), Size::Medium);
    check(json!("\"x-l\""), Size::ExtraLarge);
    check(json!({"size": "small"}).get("size").unwrap().clone(), Size::Small);
    check(json!({"small": null}), Size::Small);
    check_refused::<Size>(json!("huge"), r#"expected one of small, medium, XL, found "huge""#);
    check_refused::<Size>(json!(null), "expected one of small, medium, XL, found null");
}

#[test]
fn structs() {
    let drink = Drink {
        name: "latte".to_owned(),
        size: Size::Small,
        price: Decimal::new(575, 2),
        shots: 1,
        milk: None,
        extras: vec![],
    };
    check(json!({"name": "latte", "size": "small", "cost": 5.75}), drink.clone());
    check(
        json!({"Name": "latte", "SIZE": "Small", "cost": "$5.75", "shots": null, "why": "so"}),
        drink.clone(),
    );
    check(json!("{\"name\": \"latte\", \"size\": \"small\", \"cost\": \"5.75\"}"), drink.clone());
    check(
        json!({"name": "latte", "size": "small", "cost": 5.75, "shots": "2", "milk": "oat", "extras": "ice"}),
        Drink { shots: 2, milk: Some("oat".to_owned()), extras: vec!["ice".to_owned()], ..drink },
    );
    check(
        json!({"openFrom": "1,200", "by_name": {}}),
        Menu { open_from: 1200, by_name: HashMap::new() },
    );
    check(json!({}), Empty {});

    check_refused::<Drink>(
        json!({"name": "latte"}),
        "size: expected one of small, medium, XL, found nothing",
    );
    check_refused::<Menu>(
        json!({"openFrom": 1, "byName": {"tall": "huge"}}),
        r#"byName.tall: expected one of small, medium, XL, found "huge""#,
    );
    check_refused::<Menu>(json!([]), "expected an object with openFrom, byName, found []");
}

#[test]
fn newtypes_are_what_they_hold() {
    check(json!("a7"), Id("a7".to_owned()));
    check(json!(7), Id("7".to_owned()));
    check(json!([[], [[]]]), Forest(vec![Forest(vec![]), Forest(vec![Forest(vec![])])]));
    check_refused::<Forest>(json!(5), "expected an array, found 5");
}

#[test]
fn variants_are_found_wherever_the_name_is() {
    let soup = || Order::Food { dish: "soup".to_owned(), vegan: true };
    check(json!({"Food": {"dish": "soup", "vegan": "yes"}}), soup());
    check(json!({"food": {"dish": "soup", "vegan": true}}), soup());
    check(json!({"Food": {"dish": "soup", "vegan": true}, "Drink": null, "why": "so"}), soup());
    check(json!("{\"Food\": {\"dish\": \"soup\", \"vegan\": true}}"), soup());
    for tag in ["type", "_type", "kind", "action", "Type"] {
        check(json!({tag: "Food", "dish": "soup", "vegan": true}), soup());
    }
    check(json!({"type": "food", "arguments": {"dish": "soup", "vegan": true}}), soup());
    check(json!({"dish": "soup", "vegan": true}), soup());

    check(json!({"Note": "no ice"}), Order::Note("no ice".to_owned()));
    check(json!({"type": "Note", "content": "no ice"}), Order::Note("no ice".to_owned()));
    check(json!("Nothing"), Order::Nothing);
    check(json!("to go"), Order::ToGo);
    check(json!({"type": "ToGo"}), Order::ToGo);
    check(json!({"ToGo": {}}), Order::ToGo);
    let latte = json!({"name": "latte", "size": "small", "cost": 5.75});
    check(latte.clone(), Order::Drink(Drink::from_json(&latte).unwrap()));
    check(
        json!({"kind": "drink", "name": "latte", "size": "small", "cost": 5.75}),
        Order::Drink(Drink::from_json(&latte).unwrap()),
    );

    let expected =
        "expected an object with one of the keys Drink, Food, Note, or one of Nothing, ToGo";
    check_refused::<Order>(json!("Tea"), &format!("{expected}, found \"Tea\""));
    check_refused::<Order>(json!({"Tea": 1}), &format!("{expected}, found {{\"Tea\":1}}"));
    check_refused::<Order>(json!([1]), &format!("{expected}, found [1]"));
    check_refused::<Order>(json!("Food"), "Food.dish: expected a string, found nothing");
}

#[test]
fn recursive_values() {
    let leaf = |label: &str| Tree { label: label.to_owned(), children: vec![], left: None };
    check(
        json!({"label": "root", "children": {"label": "only", "children": []}}),
        Tree { children: vec![leaf("only")], ..leaf("root") },
    );
    let not = |inner| Expression::Not(Box::new(inner));
    check(json!({"Not": {"Not": {"Number": 3}}}), not(not(Expression::Number(3))));
    check(
        json!({"type": "not", "value": {"type": "not", "value": "true"}}),
        not(not(Expression::True)),
    );
    check(
        json!({"left": {"Number": 1}, "right": {"All": ["True"]}}),
        Expression::Sum {
            left: Box::new(Expression::Number(1)),
            right: Box::new(Expression::All(vec![Expression::True])),
        },
    );
}

/// Data without names is read at any depth, as long as it fits one variant only.
#[test]
fn unnamed_values_in_unnamed_values() {
    #[derive(Clone, Debug, PartialEq, Field)]
    enum Shape {
        Group { members: Vec<Self> },
        Circle { radius: f64 },
    }

    let mut shape = Shape::Circle { radius: 2.5 };
    let mut written = json!({"radius": "2.5"});
    for _ in 0..50 {
        shape = Shape::Group { members: vec![shape] };
        written = json!({"members": written});
    }
    check(written, shape);
}

#[test]
fn generics() {
    check(json!({"first": 1, "second": "b"}), Pair { first: 1_u8, second: "b".to_owned() });
    check(
        json!({"first": [1], "second": {"a": 2}}),
        Pair { first: vec![1_u8], second: BTreeMap::from([("a".to_owned(), 2_i64)]) },
    );
}

/// A union that nothing names, in itself, many times: the work must not multiply at each level.
#[test]
fn guesses_in_guesses_end() {
    #[derive(Debug, Field)]
    enum Node {
        One { next: Box<Self> },
        Two { next: Box<Self>, other: Option<String> },
        Three { next: Box<Self> },
        Four(Box<Self>),
    }

    let mut value = json!("end");
    let mut tagged = json!("end");
    for _ in 0..100 {
        value = json!({ "next": value });
        tagged = json!({ "type": "Four", "next": tagged });
    }
    assert!(Node::from_json(&value).is_err());
    assert!(Node::from_json(&tagged).is_err());
    assert!(Expression::from_json(&value).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        "[a-z$,.0-9 \"{}\\[\\]`-]{0,12}",
        any::<String>(),
        proptest::sample::select(WORDS).prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map(word.clone(), inner.clone(), 0..5)
                .prop_map(|entries| entries.into_iter().collect()),
            inner.clone().prop_map(|value| Value::from(value.to_string())),
            inner.prop_map(|value| Value::from(format!("```json\n{value}\n```"))),
        ]
    })
}

/// Names that occur in the types above, so that arbitrary JSON gets past the first look.
const WORDS: &[&str] = &[
    "type",
    "action",
    "Drink",
    "Food",
    "Note",
    "nothing",
    "dish",
    "vegan",
    "name",
    "size",
    "cost",
    "small",
    "label",
    "children",
    "left",
    "right",
    "Number",
    "Not",
    "All",
    "Sum",
    "True",
    "1e400",
    "first",
    "second",
    "-0.0",
    "$",
    "9223372036854775808",
];

fn any_size() -> impl Strategy<Value = Size> {
    proptest::sample::select(vec![Size::Small, Size::Medium, Size::ExtraLarge])
}

fn any_drink() -> impl Strategy<Value = Drink> {
    let price = (any::<i64>(), 0..20_u32).prop_map(|(digits, scale)| Decimal::new(digits, scale));
    let extras = proptest::collection::vec(any::<String>(), 0..3);
    (any::<String>(), any_size(), price, any::<u8>(), any::<Option<String>>(), extras).prop_map(
        |(name, size, price, shots, milk, extras)| Drink { name, size, price, shots, milk, extras },
    )
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![
        any_drink().prop_map(Order::Drink),
        (any::<String>(), any::<bool>()).prop_map(|(dish, vegan)| Order::Food { dish, vegan }),
        any::<String>().prop_map(Order::Note),
        Just(Order::Nothing),
        Just(Order::ToGo),
    ]
}

fn any_expression() -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![any::<i64>().prop_map(Expression::Number), Just(Expression::True)];
    leaf.prop_recursive(6, 30, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Expression::Not),
            proptest::collection::vec(inner, 0..3).prop_map(Expression::All),
            (boxed.clone(), boxed).prop_map(|(left, right)| Expression::Sum { left, right }),
        ]
    })
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let leaf = any::<String>().prop_map(|label| Tree { label, children: vec![], left: None });
    leaf.prop_recursive(4, 20, 3, |inner| {
        let children = proptest::collection::vec(inner.clone(), 0..3);
        let left = proptest::option::of(inner.prop_map(Box::new));
        (any::<String>(), children, left).prop_map(|(label, children, left)| Tree {
            label,
            children,
            left,
        })
    })
}

fn round_trip<T: Field + PartialEq + Debug>(value: &T) -> Result<(), TestCaseError> {
    let written = value.to_json();
    let read = T::from_json(&written).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(&read, value);
    let text = written.to_string();
    let read = T::from_json(&serde_json::from_str(&text).unwrap()).unwrap();
    prop_assert_eq!(&read, value);
    Ok(())
}

proptest! {
    #[test]
    fn no_json_hurts(value in any_json()) {
        let _ = Size::from_json(&value);
        let _ = Drink::from_json(&value);
        let _ = Vec::<Order>::from_json(&value);
        let _ = Menu::from_json(&value);
        let _ = Option::<Tree>::from_json(&value);
        let _ = Expression::from_json(&value);
        let _ = Forest::from_json(&value);
        let _ = Pair::<BTreeMap<String, f32>, Vec<char>>::from_json(&value);
        let _ = Pair::<u128, Box<Decimal>>::from_json(&value);
    }

    #[test]
    fn what_is_read_can_be_written_and_read_again(value in any_json()) {
        if let Ok(order) = Order::from_json(&value) {
            round_trip(&order)?;
        }
        if let Ok(expression) = Expression::from_json(&value) {
            round_trip(&expression)?;
        }
    }

    #[test]
    fn orders_survive(order in any_order()) {
        round_trip(&order)?;
        round_trip(&Pair { first: Some(order.clone()), second: vec![order] })?;
    }

    #[test]
    fn recursive_values_survive(tree in any_tree(), expression in any_expression()) {
        round_trip(&tree)?;
        round_trip(&expression)?;
    }

    #[test]
    fn numbers_survive(
        numbers in any::<(i8, u64, i128, u128)>(),
        floats in any::<(f32, f64)>(),
        letter in any::<char>(),
        decimal in (any::<i64>(), any::<u32>(), 0..=28_u32),
    ) {
        let (small, natural, wide, widest) = numbers;
        round_trip(&Pair { first: small, second: natural })?;
        round_trip(&Pair { first: wide, second: widest })?;
        round_trip(&Pair { first: floats.0, second: floats.1 })?;
        let (high, low, scale) = decimal;
        let decimal = Decimal::from_i128_with_scale((i128::from(high) << 20) + i128::from(low >> 12), scale);
        round_trip(&Pair { first: letter, second: decimal })?;
    }
}
