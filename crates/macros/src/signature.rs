//! `#[derive(Signature)]`: an instruction, inputs and outputs, written as one struct.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, FieldsNamed, Meta, Visibility, parse_quote,
};

use crate::attributes::docs;
use crate::field::implement_struct;
use crate::fields::{self, NamedField};

/// Expands `#[derive(Signature)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let fields = named_fields(input)?;
    check_attributes(input)?;
    let instructions = instructions(input);
    let sides = sides(input, fields);
    let (instructions, (inputs, outputs)) = both(instructions, sides)?;

    let DeriveInput { ident, vis, .. } = input;
    let name = ident.unraw().to_string();
    let input_ident = format_ident!("{ident}Input");
    let output_ident = format_ident!("{ident}Output");
    let input_struct =
        side_struct(&input_ident, vis, &inputs, &format!("What [`{name}`] is given."));
    let output_struct =
        side_struct(&output_ident, vis, &outputs, &format!("What [`{name}`] answers."));
    let (input_specs, output_specs) = (fields::specs(&inputs), fields::specs(&outputs));
    let field_names = fields.named.iter().map(|field| &field.ident);

    Ok(quote! {
        #input_struct
        #output_struct

        #[automatically_derived]
        impl ::glassbox::Signature for #ident {
            type Input = #input_ident;
            type Output = #output_ident;

            const NAME: &'static str = #name;
            const INSTRUCTIONS: &'static str = #instructions;
            const INPUTS: &'static [::glassbox::FieldSpec] = #input_specs;
            const OUTPUTS: &'static [::glassbox::FieldSpec] = #output_specs;
        }

        const _: () = {
            #[allow(dead_code, reason = "the fields of a signature are declared, not read")]
            fn fields_are_declared(signature: &#ident) {
                let _ = (#(&signature.#field_names,)*);
            }
        };
    })
}

fn named_fields(input: &DeriveInput) -> syn::Result<&FieldsNamed> {
    if !input.generics.params.is_empty() {
        let message = "a signature has no generics: write one struct for each task";
        return Err(Error::new_spanned(&input.generics, message));
    }

    let message = format!(
        "a signature is a struct with named fields: `struct {} {{ #[input] question: String, \
         #[output] answer: String }}`",
        input.ident
    );
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(fields),
            Fields::Unnamed(fields) => Err(Error::new_spanned(fields, message)),
            Fields::Unit => Err(Error::new_spanned(&input.ident, message)),
        },
        Data::Enum(data) => Err(Error::new(data.enum_token.span, message)),
        Data::Union(data) => Err(Error::new(data.union_token.span, message)),
    }
}

/// On the struct itself there is nothing to say but the doc comment.
fn check_attributes(input: &DeriveInput) -> syn::Result<()> {
    let is_ours = |attribute: &&Attribute| {
        ["input", "output", "field"].iter().any(|name| attribute.path().is_ident(name))
    };
    match input.attrs.iter().find(is_ours) {
        Some(attribute) => Err(Error::new_spanned(attribute, "write this above a field")),
        None => Ok(()),
    }
}

fn instructions(input: &DeriveInput) -> syn::Result<TokenStream> {
    docs(&input.attrs).ok_or_else(|| {
        let message = "a signature needs an instruction for the model: write it as a doc comment \
                       above the struct, such as `/// Answer the question in one sentence.`";
        Error::new_spanned(&input.ident, message)
    })
}

type Sides<'a> = (Vec<NamedField<'a>>, Vec<NamedField<'a>>);

/// The inputs and the outputs.
fn sides<'a>(input: &DeriveInput, fields: &'a FieldsNamed) -> syn::Result<Sides<'a>> {
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut errors: Option<Error> = None;
    for field in &fields.named {
        match both(side(field), NamedField::parse(field, None)) {
            Ok((Side::Input, field)) => inputs.push(field),
            Ok((Side::Output, field)) => outputs.push(field),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }

    if outputs.is_empty() {
        let message = "a signature needs something to ask for: mark a field with `#[output]`";
        return Err(Error::new_spanned(&input.ident, message));
    }
    both(fields::check_names(&inputs), fields::check_names(&outputs))?;
    Ok((inputs, outputs))
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Input,
    Output,
}

fn side(field: &Field) -> syn::Result<Side> {
    let mut found: Option<Side> = None;
    for attribute in &field.attrs {
        let (side, name) = if attribute.path().is_ident("input") {
            (Side::Input, "#[input]")
        } else if attribute.path().is_ident("output") {
            (Side::Output, "#[output]")
        } else {
            continue;
        };

        if !matches!(attribute.meta, Meta::Path(_)) {
            let message =
                format!("`{name}` takes nothing: write `{name} #[field(description = \"..\")]`");
            return Err(Error::new_spanned(attribute, message));
        }
        match (found, side) {
            (None, _) => found = Some(side),
            (Some(Side::Input), Side::Input) | (Some(Side::Output), Side::Output) => {
                return Err(Error::new_spanned(attribute, format!("`{name}` is written twice")));
            }
            _ => {
                let message = "a field is an input or an output: remove one of the two";
                return Err(Error::new_spanned(attribute, message));
            }
        }
    }

    found.ok_or_else(|| {
        let message = "write `#[input]` or `#[output]` above this field";
        Error::new_spanned(field.ident.as_ref(), message)
    })
}

/// The struct that callers fill, or get.
fn side_struct(
    ident: &Ident,
    visibility: &Visibility,
    fields: &[NamedField<'_>],
    doc: &str,
) -> TokenStream {
    let declarations = fields.iter().map(|field| {
        let Field { attrs, vis, ident, ty, .. } = field.source;
        let mut docs: Vec<_> =
            attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).collect();
        let name = format!("The `{}`.", ident.as_ref().map(IdentExt::unraw).into_token_stream());
        let own_doc: Attribute = parse_quote!(#[doc = #name]);
        if docs.is_empty() {
            docs.push(&own_doc);
        }
        let vis = if matches!(vis, Visibility::Public(_)) { vis } else { visibility };
        quote!(#(#docs)* #vis #ident: #ty)
    });
    let implementation = implement_struct(ident, fields);
    quote! {
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #visibility struct #ident {
            #(#declarations),*
        }

        #implementation
    }
}

/// Both values, or the errors of both.
fn both<A, B>(one: syn::Result<A>, other: syn::Result<B>) -> syn::Result<(A, B)> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(mut error), Err(other)) => {
            error.combine(other);
            Err(error)
        }
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}
