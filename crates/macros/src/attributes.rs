//! What is written above a type, field, variant or argument: doc comments, `#[field(..)]` and `#[arg(..)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Token};

use crate::case::{CASES, Case};

/// The content of `#[field(..)]` or `#[arg(..)]`.
#[derive(Debug, Default)]
pub(crate) struct FieldAttribute {
    pub(crate) description: Option<LitStr>,
    pub(crate) rename: Option<LitStr>,
    pub(crate) default: Option<DefaultValue>,
    pub(crate) rename_all: Option<Case>,
}

/// What a field is when it is absent.
#[derive(Debug)]
pub(crate) enum DefaultValue {
    /// `#[field(default)]`
    OfType,
    /// `#[field(default = ..)]`
    Value(Expr),
}

/// Where an attribute is written, which decides what may be in it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Type,
    Field,
    /// An argument of a `#[tool]`, which is written `#[arg(..)]`.
    Argument,
    Variant,
    /// The only field of a struct or variant like `Name(String)`.
    Inner,
}

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Type => &["description", "rename_all"],
            Self::Field | Self::Argument => &["description", "rename", "default"],
            Self::Variant => &["description", "rename"],
            Self::Inner => &[],
        }
    }

    /// The name of the attribute.
    fn attribute(self) -> &'static str {
        match self {
            Self::Argument => "arg",
            _ => "field",
        }
    }

    /// What may be written here, as it is written.
    fn help(self) -> String {
        let written = self.keys().iter().map(|key| match *key {
            "default" => "`default`, `default = ..`".to_owned(),
            "rename_all" => "`rename_all = \"snake_case\"`".to_owned(),
            key => format!("`{key} = \"..\"`"),
        });
        let written: Vec<_> = written.collect();
        match self {
            Self::Type => format!("a type takes {}", written.join(", ")),
            Self::Field => format!("a field takes {}", written.join(", ")),
            Self::Argument => format!("an argument takes {}", written.join(", ")),
            Self::Variant => format!("a variant takes {}", written.join(", ")),
            Self::Inner => "a field without a name takes no `#[field(..)]`".to_owned(),
        }
    }
}

impl FieldAttribute {
    /// Reads every `#[field(..)]`, or `#[arg(..)]`, among the attributes.
    pub(crate) fn parse(attributes: &[Attribute], place: Place) -> syn::Result<Self> {
        let mut parsed = Self::default();
        let is_ours = |attribute: &&Attribute| attribute.path().is_ident(place.attribute());
        for attribute in attributes.iter().filter(is_ours) {
            attribute.parse_nested_meta(|meta| parsed.parse_key(&meta, place))?;
        }
        Ok(parsed)
    }

    fn parse_key(&mut self, meta: &ParseNestedMeta<'_>, place: Place) -> syn::Result<()> {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        if !place.keys().contains(&key.as_str()) {
            return Err(meta.error(place.help()));
        }

        let is_new = match key.as_str() {
            "description" => self.description.replace(text(meta)?).is_none(),
            "rename" => self.rename.replace(text(meta)?).is_none(),
            "rename_all" => self.rename_all.replace(case(meta)?).is_none(),
            _ => self.default.replace(default_value(meta)?).is_none(),
        };
        if is_new { Ok(()) } else { Err(meta.error(format!("`{key}` is given twice"))) }
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let value: Expr = meta.value()?.parse()?;
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if !text.value().trim().is_empty() => {
            Ok(text)
        }
        other => Err(syn::Error::new_spanned(other, "write a text in quotes here: `\"..\"`")),
    }
}

fn case(meta: &ParseNestedMeta<'_>) -> syn::Result<Case> {
    let name = text(meta)?;
    let case = CASES.into_iter().find(|(written, _)| *written == name.value());
    case.map(|(_, case)| case).ok_or_else(|| {
        let names = CASES.map(|(written, _)| format!("\"{written}\"")).join(", ");
        syn::Error::new_spanned(&name, format!("unknown case; write one of {names}"))
    })
}

fn default_value(meta: &ParseNestedMeta<'_>) -> syn::Result<DefaultValue> {
    if !meta.input.peek(Token![=]) {
        return Ok(DefaultValue::OfType);
    }
    meta.value()?.parse().map(DefaultValue::Value)
}

/// The doc comment, as an expression for a `&'static str`; `None` when there is nothing in it.
///
/// Besides `///` this takes `#[doc = include_str!("prompt.md")]`, for instructions of some length.
pub(crate) fn docs(attributes: &[Attribute]) -> Option<TokenStream> {
    let values: Vec<_> = attributes.iter().filter_map(doc).collect();
    let lines: Option<Vec<_>> = values.iter().map(|value| line(value)).collect();
    if let Some(lines) = lines {
        let text = unindent(&lines.join("\n"));
        return (!text.is_empty()).then(|| quote!(#text));
    }

    let parts = values.iter().map(|value| match line(value) {
        Some(line) => line.trim().to_token_stream(),
        None => value.to_token_stream(),
    });
    Some(quote!(::core::concat!(#(#parts, "\n"),*).trim_ascii()))
}

fn doc(attribute: &Attribute) -> Option<&Expr> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => Some(&pair.value),
        _ => None,
    }
}

/// The text of a `///` comment; `None` for a macro.
fn line(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
        _ => None,
    }
}

/// Removes what all lines are indented by: `/// text` has a space in front.
fn unindent(text: &str) -> String {
    let is_written = |line: &&str| !line.trim().is_empty();
    let indents = text.lines().filter(is_written).map(|line| line.len() - line.trim_start().len());
    let indent = indents.min().unwrap_or(0);
    let lines: Vec<_> =
        text.lines().map(|line| line.get(indent..).unwrap_or_default().trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docs_lose_only_their_common_indent() {
        let check = |text, expected| assert_eq!(unindent(text), expected);
        check(" One.\n\n Two:\n   - three ", "One.\n\nTwo:\n  - three");
        check("", "");
        check("\n  \n", "");
    }
}
