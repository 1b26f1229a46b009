//! `#[derive(Field)]`: structs, enums of names, and enums with data.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DataEnum, DeriveInput, Error, Fields, GenericParam, Generics, Type, Variant, parse_quote,
};

use crate::attributes::{FieldAttribute, Place};
use crate::case::Case;
use crate::fields::{self, NamedField};

/// The bodies of the methods of `Field`; arguments are named `definitions` and `value`.
#[derive(Debug)]
struct Body {
    schema: TokenStream,
    to_json: TokenStream,
    from_json: TokenStream,
    /// The whole method, where it is not the provided one.
    absent: TokenStream,
}

/// Expands `#[derive(Field)]`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let attribute = FieldAttribute::parse(&input.attrs, Place::Type)?;
    let description = fields::description(&attribute, &input.attrs);
    let body = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => {
                let parse = |field| NamedField::parse(field, attribute.rename_all);
                let fields = named.named.iter().map(parse).collect::<syn::Result<Vec<_>>>()?;
                fields::check_names(&fields)?;
                struct_body(&description, &fields)
            }
            Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
                let inner = &unnamed.unnamed[0];
                FieldAttribute::parse(&inner.attrs, Place::Inner)?;
                newtype_body(&description, &inner.ty)
            }
            Fields::Unnamed(_) => {
                let message = "a model needs names: give the fields names, as in \
                               `struct Drink { size: Size, milk: Milk }`";
                return Err(Error::new_spanned(&data.fields, message));
            }
            Fields::Unit => {
                let message = format!("a struct needs braces here: `struct {} {{}}`", input.ident);
                return Err(Error::new_spanned(&input.ident, message));
            }
        },
        Data::Enum(data) => enum_body(&description, input, data, attribute.rename_all)?,
        Data::Union(data) => {
            let message = "a model cannot read a `union`: write an `enum`";
            return Err(Error::new_spanned(data.union_token, message));
        }
    };
    Ok(implementation(&input.ident, &bounded(&input.generics)?, &body))
}

/// Implements `Field` for a struct without generics whose fields are given.
pub(crate) fn implement_struct(ident: &Ident, fields: &[NamedField<'_>]) -> TokenStream {
    implementation(ident, &Generics::default(), &struct_body(&quote!(""), fields))
}

fn implementation(ident: &Ident, generics: &Generics, body: &Body) -> TokenStream {
    let (for_impl, for_type, bounds) = generics.split_for_impl();
    let Body { schema, to_json, from_json, absent } = body;
    quote! {
        #[automatically_derived]
        impl #for_impl ::glassbox::Field for #ident #for_type #bounds {
            fn schema(definitions: &mut ::glassbox::Definitions) -> ::glassbox::__private::Value {
                definitions.named(::core::any::type_name::<Self>(), |definitions| #schema)
            }

            fn to_json(&self) -> ::glassbox::__private::Value {
                #to_json
            }

            fn from_json(
                value: &::glassbox::__private::Value,
            ) -> ::core::result::Result<Self, ::glassbox::FieldError> {
                #from_json
            }

            #absent
        }
    }
}

/// Adds `T: Field` for each type parameter.
fn bounded(generics: &Generics) -> syn::Result<Generics> {
    let mut generics = generics.clone();
    for parameter in &mut generics.params {
        match parameter {
            GenericParam::Type(ty) => ty.bounds.push(parse_quote!(::glassbox::Field)),
            GenericParam::Lifetime(lifetime) => {
                let message = "what a model writes is owned: write `String` for `&str`, `Vec<T>` \
                               for `&[T]`";
                return Err(Error::new_spanned(lifetime, message));
            }
            GenericParam::Const(_) => (),
        }
    }
    Ok(generics)
}

fn struct_body(description: &TokenStream, fields: &[NamedField<'_>]) -> Body {
    let specs = fields::specs(fields);
    let (pattern, written) = fields::write(fields);
    let value = Ident::new("value", Span::call_site());
    Body {
        schema: quote! {
            ::glassbox::__private::object_schema(#description, #specs, definitions)
        },
        to_json: quote! {
            let Self #pattern = self;
            #written
        },
        from_json: fields::read(&quote!(Self), fields, &value),
        absent: TokenStream::new(),
    }
}

/// A struct around one value is written as that value.
fn newtype_body(description: &TokenStream, inner: &Type) -> Body {
    let method = |name: &str| {
        let name = Ident::new(name, Span::call_site());
        quote_spanned!(inner.span()=> <#inner as ::glassbox::Field>::#name)
    };
    let (schema, to_json) = (method("schema"), method("to_json"));
    let (from_json, absent) = (method("from_json"), method("absent"));
    Body {
        schema: quote!(::glassbox::__private::describe(#schema(definitions), #description)),
        to_json: quote!(#to_json(&self.0)),
        from_json: quote!(#from_json(value).map(Self)),
        absent: quote! {
            fn absent() -> ::core::option::Option<Self> {
                #absent().map(Self)
            }
        },
    }
}

fn enum_body(
    description: &TokenStream,
    input: &DeriveInput,
    data: &DataEnum,
    case: Option<Case>,
) -> syn::Result<Body> {
    if data.variants.is_empty() {
        let message = "a model has nothing to choose from: give the enum a variant";
        return Err(Error::new_spanned(&input.ident, message));
    }

    let has_data = data.variants.iter().any(|variant| !matches!(variant.fields, Fields::Unit));
    let case = case.or(if has_data { None } else { Some(Case::Snake) });
    let mut names = Vec::new();
    let mut branches = Vec::new();
    for variant in &data.variants {
        let branch = branch(variant, case)?;
        if names.contains(&branch.name) {
            let message = format!("another variant is named `{}` already", branch.name);
            return Err(Error::new_spanned(variant, message));
        }
        names.push(branch.name.clone());
        branches.push(branch);
    }

    let specs = branches.iter().map(|branch| &branch.spec);
    let arms = branches.iter().map(|branch| &branch.to_json);
    let readers = branches.iter().map(|branch| &branch.reader);
    Ok(Body {
        schema: quote! {
            ::glassbox::__private::enum_schema(#description, &[#(#specs),*], definitions)
        },
        to_json: quote!(match self { #(#arms),* }),
        from_json: quote! {
            ::glassbox::__private::read_enum(
                value,
                &[#(::glassbox::__private::Variant { name: #names, reader: #readers }),*],
            )
        },
        absent: TokenStream::new(),
    })
}

/// What one variant adds to the body of an enum.
#[derive(Debug)]
struct Branch {
    /// The name in JSON.
    name: String,
    /// An expression of type `VariantSpec`.
    spec: TokenStream,
    /// An arm of the `match` that writes it.
    to_json: TokenStream,
    /// An expression of type `Reader`.
    reader: TokenStream,
}

fn branch(variant: &Variant, case: Option<Case>) -> syn::Result<Branch> {
    let attribute = FieldAttribute::parse(&variant.attrs, Place::Variant)?;
    let description = fields::description(&attribute, &variant.attrs);
    let ident = &variant.ident;
    let written = ident.unraw().to_string();
    let name = match &attribute.rename {
        Some(name) => name.value(),
        None => case.map_or(written.clone(), |case| case.apply(&written)),
    };

    let (content, to_json, reader) = match &variant.fields {
        Fields::Unit => (
            quote!(Unit),
            quote!(Self::#ident => ::glassbox::__private::Value::from(#name)),
            quote!(Unit(|| Self::#ident)),
        ),
        Fields::Named(named) => {
            let parse = |field| NamedField::parse(field, None);
            let fields = named.named.iter().map(parse).collect::<syn::Result<Vec<_>>>()?;
            fields::check_names(&fields)?;
            let (specs, names) = (fields::specs(&fields), fields::names(&fields));
            let (pattern, written) = fields::write(&fields);
            let value = Ident::new("content", Span::call_site());
            let read = fields::read(&quote!(Self::#ident), &fields, &value);
            (
                quote!(Fields(#specs)),
                quote! {
                    Self::#ident #pattern => ::glassbox::__private::to_variant(#name, #written)
                },
                quote!(Fields(#names, |content| { #read })),
            )
        }
        Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1 => {
            let inner = &unnamed.unnamed[0];
            FieldAttribute::parse(&inner.attrs, Place::Inner)?;
            let ty = &inner.ty;
            let field = quote_spanned!(ty.span()=> <#ty as ::glassbox::Field>);
            (
                quote!(Value(#field::schema)),
                quote! {
                    Self::#ident(content) => {
                        ::glassbox::__private::to_variant(#name, #field::to_json(content))
                    }
                },
                quote!(Value(|content| #field::from_json(content).map(Self::#ident))),
            )
        }
        Fields::Unnamed(_) => {
            let message = format!(
                "a model needs names: give the fields names, as in `{ident} {{ size: Size, milk: Milk }}`"
            );
            return Err(Error::new_spanned(&variant.fields, message));
        }
    };
    Ok(Branch {
        spec: quote! {
            ::glassbox::__private::VariantSpec {
                name: #name,
                description: #description,
                content: ::glassbox::__private::Content::#content,
            }
        },
        to_json,
        reader: quote!(::glassbox::__private::Reader::#reader),
        name,
    })
}
