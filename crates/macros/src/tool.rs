//! `#[tool]`: a function that a model may call.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, Field, FieldMutability, FnArg, ItemFn, Lit, LitInt, LitStr,
    Pat, PatIdent, PatType, ReturnType, Type, Visibility, parse_quote,
};

use crate::attributes::docs;
use crate::field::implement_struct;
use crate::fields::{self, NamedField};

/// What `#[tool(..)]` holds.
#[derive(Debug, Default)]
struct ToolAttribute {
    name: Option<LitStr>,
    timeout_secs: Option<LitInt>,
}

/// Expands `#[tool]`.
pub(crate) fn expand(attribute: TokenStream, function: &ItemFn) -> syn::Result<TokenStream> {
    let attribute = ToolAttribute::parse(attribute)?;
    check_signature(function)?;
    let description = description(function)?;
    let arguments = function.sig.inputs.iter().map(argument).collect::<syn::Result<Vec<_>>>()?;
    let parse = |field| NamedField::parse_argument(field);
    let named = arguments.iter().map(parse).collect::<syn::Result<Vec<_>>>()?;
    fields::check_names(&named)?;

    let ItemFn { vis, sig, attrs, block } = function;
    let ident = &sig.ident;
    let name = match &attribute.name {
        Some(name) => name.value(),
        None => ident.unraw().to_string(),
    };
    let timeout = attribute.timeout_secs.map(|seconds| {
        quote! {
            fn timeout(&self) -> ::core::option::Option<::core::time::Duration> {
                ::core::option::Option::Some(::core::time::Duration::from_secs(#seconds))
            }
        }
    });
    let (doc_attributes, other_attributes): (Vec<_>, Vec<_>) =
        attrs.iter().partition(|attribute| attribute.path().is_ident("doc"));
    let parameters = sig.inputs.iter().map(without_attributes);
    let (asyncness, output) = (&sig.asyncness, &sig.output);
    let struct_ident = Ident::new("Arguments", ident.span());
    let implementation = implement_struct(&struct_ident, &named);
    let declarations = arguments.iter().map(|Field { ident, ty, .. }| quote!(#ident: #ty));
    let values = arguments.iter().map(|Field { ident, .. }| quote!(arguments.#ident));
    let wait = asyncness.map(|_| quote!(.await));
    let read = match arguments.is_empty() {
        true => quote!(let _: Arguments),
        false => quote!(let arguments: Arguments),
    };
    let output_span = match output {
        ReturnType::Default => ident.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let into_result = quote_spanned!(output_span=> ::glassbox::ToolOutput::into_result);
    let run_doc = format!("Runs the function `{}` itself.", ident.unraw());

    Ok(quote! {
        #(#doc_attributes)*
        #[allow(non_camel_case_types, reason = "it is named as the function that it stands for")]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #ident;

        impl #ident {
            #[doc = #run_doc]
            #(#other_attributes)*
            #vis #asyncness fn run(#(#parameters),*) #output #block
        }

        const _: () = {
            struct Arguments {
                #(#declarations),*
            }

            #implementation

            #[automatically_derived]
            impl ::glassbox::Tool for #ident {
                fn name(&self) -> &str {
                    #name
                }

                fn description(&self) -> &str {
                    #description
                }

                fn parameters(&self) -> ::glassbox::__private::Value {
                    ::glassbox::__private::arguments::schema::<Arguments>()
                }

                fn call(
                    &self,
                    arguments: ::glassbox::__private::Value,
                ) -> ::glassbox::BoxFuture<
                    '_,
                    ::core::result::Result<::glassbox::__private::Value, ::glassbox::ToolError>,
                > {
                    ::std::boxed::Box::pin(async move {
                        #read = ::glassbox::__private::arguments::read(&arguments, false)?;
                        #into_result(Self::run(#(#values),*)#wait)
                    })
                }

                #timeout

                fn coerce(
                    &self,
                    arguments: &::glassbox::__private::Value,
                ) -> ::core::option::Option<::glassbox::__private::Value> {
                    ::glassbox::__private::arguments::coerce::<Arguments>(arguments, false)
                }
            }
        };
    })
}

impl ToolAttribute {
    fn parse(attribute: TokenStream) -> syn::Result<Self> {
        let mut parsed = Self::default();
        let parser = syn::meta::parser(|meta| {
            let is_new = if meta.path.is_ident("name") {
                parsed.name.replace(tool_name(meta.value()?.parse()?)?).is_none()
            } else if meta.path.is_ident("timeout_secs") {
                parsed.timeout_secs.replace(meta.value()?.parse()?).is_none()
            } else {
                return Err(meta.error("`#[tool]` takes `name = \"..\"`, `timeout_secs = ..`"));
            };
            if is_new { Ok(()) } else { Err(meta.error("this is given twice")) }
        });
        parser.parse2(attribute)?;
        Ok(parsed)
    }
}

fn tool_name(value: Expr) -> syn::Result<LitStr> {
    let message = "write a name of 1 to 64 letters, digits, `_` and `-` in quotes here: `\"..\"`";
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if is_tool_name(&text.value()) => Ok(text),
        other => Err(Error::new_spanned(other, message)),
    }
}

fn is_tool_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(is_plain)
}

fn check_signature(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        let message = "a tool has no generics: a model fills in values of one type";
        return Err(Error::new_spanned(&signature.generics, message));
    }
    if let Some(unsafety) = &signature.unsafety {
        let message = "a tool cannot be unsafe: a model decides what it is called with";
        return Err(Error::new_spanned(unsafety, message));
    }
    Ok(())
}

fn description(function: &ItemFn) -> syn::Result<TokenStream> {
    docs(&function.attrs).ok_or_else(|| {
        let message = "a tool needs a description for the model: write it as a doc comment above \
                       the function, such as `/// Adds two numbers.`";
        Error::new_spanned(&function.sig.ident, message)
    })
}

/// The argument as a field of a struct.
fn argument(argument: &FnArg) -> syn::Result<Field> {
    let PatType { attrs, pat, ty, .. } = match argument {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            let message = "a tool is a function without `self`: for state, hand a closure to \
                           `glassbox::tool_fn`";
            return Err(Error::new_spanned(receiver, message));
        }
    };
    let ident = match pat.as_ref() {
        Pat::Ident(PatIdent { ident, by_ref: None, subpat: None, .. }) => ident.clone(),
        other => {
            let message = "give this argument a plain name: the model reads it";
            return Err(Error::new_spanned(other, message));
        }
    };
    if let Type::Reference(reference) = ty.as_ref() {
        let message =
            "what a model writes is owned: write `String` for `&str`, `Vec<T>` for `&[T]`";
        return Err(Error::new_spanned(reference, message));
    }
    Ok(Field {
        attrs: attrs.clone(),
        vis: Visibility::Inherited,
        mutability: FieldMutability::None,
        ident: Some(ident),
        colon_token: None,
        ty: ty.as_ref().clone(),
    })
}

/// The argument as the function has it.
fn without_attributes(argument: &FnArg) -> FnArg {
    let is_foreign = |attribute: &&Attribute| {
        !attribute.path().is_ident("arg") && !attribute.path().is_ident("doc")
    };
    match argument {
        FnArg::Typed(PatType { attrs, pat, ty, .. }) => {
            let attrs = attrs.iter().filter(is_foreign);
            parse_quote!(#(#attrs)* #pat: #ty)
        }
        receiver => receiver.clone(),
    }
}
