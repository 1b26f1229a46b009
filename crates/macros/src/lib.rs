//! The derive macros of Glassbox. Users find them, with examples, as `glassbox::Signature` and
//! `glassbox::Field`.

mod case;
mod attributes;
mod fields;
mod field;
mod signature;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

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
