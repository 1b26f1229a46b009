//! The macros of Glassbox. Users find them, with examples, as `glassbox::Signature`, `glassbox::Field`
//! and `glassbox::tool`.

mod case;
mod attributes;
mod fields;
mod field;
mod signature;
mod tool;

use proc_macro::TokenStream;
use syn::{DeriveInput, ItemFn, parse_macro_input};

/// Makes a struct the description of a task for a model.
///
/// The doc comment is the instruction; the fields carry `#[input]` or `#[output]`, and may carry
/// `#[field(description = "..", rename = "..", default)]` or `#[field(default = ..)]`. For a struct
/// `CoffeeShop`, generates the structs `CoffeeShopInput` and `CoffeeShopOutput`.
#[proc_macro_derive(Signature, attributes(input, output, field))]
pub fn derive_signature(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    signature::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct or enum readable and writable for a model.
///
/// Attributes, all inside `#[field(..)]`:
///
/// - on a field: `description = ".."`, `rename = ".."`, `default`, `default = ..`;
/// - on a variant: `description = ".."`, `rename = ".."`;
/// - on the type: `description = ".."`, `rename_all = "snake_case"` (or `camelCase`, `PascalCase`,
///   `SCREAMING_SNAKE_CASE`, `kebab-case`, `lowercase`, `UPPERCASE`).
#[proc_macro_derive(Field, attributes(field))]
pub fn derive_field(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    field::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a function, async or plain, a tool that a model may call.
///
/// The doc comment tells the model what it does. The arguments are what the model fills in: types with
/// `#[derive(Field)]`, each with a doc comment or `#[arg(description = "..", rename = "..", default)]` or
/// `#[arg(default = ..)]`. It returns such a type, nothing, or a `Result` whose error the model reads.
/// `#[tool(name = "..", timeout_secs = ..)]` sets another name, and how long a call may take.
///
/// The function becomes a unit struct of its name, which is the tool: `Toolbox::new().with(add)`. The
/// function itself is called as `add::run(1.0, 2.0)`. A plain function runs where it is called and is not
/// cut by the timeout: what blocks for long belongs into `tokio::task::spawn_blocking` within an async one.
#[proc_macro_attribute]
pub fn tool(attribute: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    tool::expand(attribute.into(), &function).unwrap_or_else(syn::Error::into_compile_error).into()
}
