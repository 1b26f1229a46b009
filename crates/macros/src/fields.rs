//! Named fields, of a struct or of a variant: how they are described, read and written.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Field, Lit, Type};

use crate::attributes::{DefaultValue, FieldAttribute, Place, docs};
use crate::case::Case;

/// A field that has a name.
#[derive(Debug)]
pub(crate) struct NamedField<'a> {
    pub(crate) source: &'a Field,
    ident: &'a Ident,
    /// The name in JSON.
    name: String,
    description: TokenStream,
    default: Option<DefaultValue>,
}

impl<'a> NamedField<'a> {
    /// Parses a field of a struct or variant with braces.
    pub(crate) fn parse(source: &'a Field, case: Option<Case>) -> syn::Result<Self> {
        Self::parse_in(source, case, Place::Field)
    }

    /// Parses an argument of a tool, made a field.
    pub(crate) fn parse_argument(source: &'a Field) -> syn::Result<Self> {
        Self::parse_in(source, None, Place::Argument)
    }

    fn parse_in(source: &'a Field, case: Option<Case>, place: Place) -> syn::Result<Self> {
        let attribute = FieldAttribute::parse(&source.attrs, place)?;
        let Some(ident) = &source.ident else {
            return Err(syn::Error::new_spanned(source, "give this field a name"));
        };

        let written = ident.unraw().to_string();
        let name = match &attribute.rename {
            Some(name) => name.value(),
            None => case.map_or(written.clone(), |case| case.apply(&written)),
        };
        let description = description(&attribute, &source.attrs);
        Ok(Self { source, ident, name, description, default: attribute.default })
    }

    /// An expression of type `FieldSpec`.
    fn spec(&self) -> TokenStream {
        let Self { name, description, .. } = self;
        let ty = &self.source.ty;
        let required = self.default.is_none() && !is_option(ty);
        let schema = quote_spanned!(ty.span()=> <#ty as ::glassbox::Field>::schema);
        quote! {
            ::glassbox::FieldSpec {
                name: #name,
                description: #description,
                required: #required,
                schema: #schema,
            }
        }
    }

    /// An expression that reads the field out of an `Object`.
    fn read(&self, object: &Ident) -> TokenStream {
        let name = &self.name;
        let ty = &self.source.ty;
        let field = quote_spanned!(ty.span()=> <#ty as ::glassbox::Field>);
        let methods = quote!(#field::from_json, #field::absent);
        let default = match &self.default {
            None => return quote!(#object.field(#name, #methods)?),
            Some(DefaultValue::OfType) => {
                quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default())
            }
            // So that `default = "latte"` works for a `String`.
            Some(DefaultValue::Value(text @ Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))) => {
                quote_spanned!(text.span()=> ::core::convert::Into::into(#text))
            }
            Some(DefaultValue::Value(value)) => quote!(#value),
        };
        quote!(#object.field_or(#name, #methods, || #default)?)
    }
}

/// Fails where two fields have the same name in JSON.
pub(crate) fn check_names(fields: &[NamedField<'_>]) -> syn::Result<()> {
    for (at, field) in fields.iter().enumerate() {
        let name = &field.name;
        if fields[..at].iter().any(|earlier| earlier.name == *name) {
            let message = format!("another field is named `{name}` already");
            return Err(syn::Error::new_spanned(field.source, message));
        }
    }
    Ok(())
}

/// An expression of type `&[FieldSpec]`.
pub(crate) fn specs(fields: &[NamedField<'_>]) -> TokenStream {
    let specs = fields.iter().map(NamedField::spec);
    quote!(&[#(#specs),*])
}

/// An expression of type `&[&str]`: the names in JSON.
pub(crate) fn names(fields: &[NamedField<'_>]) -> TokenStream {
    let names = fields.iter().map(|field| &field.name);
    quote!(&[#(#names),*])
}

/// Statements that read `value` as `constructor { .. }` and end in a `Result`.
pub(crate) fn read(
    constructor: &TokenStream,
    fields: &[NamedField<'_>],
    value: &Ident,
) -> TokenStream {
    let names = names(fields);
    // Not to be seen by the expressions of defaults.
    let object = Ident::new("_object", Span::mixed_site());
    let idents = fields.iter().map(|field| field.ident);
    let reads = fields.iter().map(|field| field.read(&object));
    quote! {
        let #object = ::glassbox::__private::Object::read(#value, #names)?;
        ::core::result::Result::Ok(#constructor { #(#idents: #reads),* })
    }
}

/// A pattern for the fields, and an expression of type `Value` that writes what it binds.
pub(crate) fn write(fields: &[NamedField<'_>]) -> (TokenStream, TokenStream) {
    let idents: Vec<_> = fields.iter().map(|field| field.ident).collect();
    let bound: Vec<_> = (0..fields.len()).map(|at| format_ident!("field_{at}")).collect();
    let names = fields.iter().map(|field| &field.name);
    let pattern = quote!({ #(#idents: #bound),* });
    let values = fields.iter().zip(&bound).map(|(field, bound)| {
        let ty = &field.source.ty;
        let to_json = quote_spanned!(ty.span()=> <#ty as ::glassbox::Field>::to_json);
        quote!(#to_json(#bound))
    });
    (pattern, quote!(::glassbox::__private::to_object([#((#names, #values)),*])))
}

/// The description that an attribute or else the doc comment gives, as an expression.
pub(crate) fn description(
    attribute: &FieldAttribute,
    attributes: &[syn::Attribute],
) -> TokenStream {
    match &attribute.description {
        Some(text) => quote!(#text),
        None => docs(attributes).unwrap_or_else(|| quote!("")),
    }
}

/// Whether a type is written `Option<..>`. Behind an alias it only looks required to the model.
fn is_option(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    ty.path.segments.last().is_some_and(|segment| segment.ident == "Option")
}
