//! The JSON Schemas of the input documents (draft 2020-12): printed for people, used at load.

use std::sync::LazyLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::diagnostic::{DiagnosticKind, Diagnostics, pointer_part, shown};
use crate::base::format::{self, FormatStanding};

/// An input document that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// `plan.json`
    Plan,
    /// `registries/index.json`
    RegistryIndex,
    /// `probes.json`
    ProbeRegistry,
    /// `profiles.json`
    ProfileRegistry,
    /// A Landlock policy.
    LandlockPolicy,
    /// A launcher.
    Launcher,
    /// `registries/worlds/*.json`
    World,
    /// A declaration of another system, in the first format.
    SystemDeclaration,
    /// A declaration of another system, in the second format.
    SystemDeclarationV2,
    /// A plan template.
    PlanTemplate,
}

struct CompiledSchema {
    value: Value,
    validator: Validator,
}

impl CompiledSchema {
    fn new(text: &str) -> Self {
        let value: Value = serde_json::from_str(text).expect("an embedded schema is JSON");
        let validator = jsonschema::draft202012::new(&value).expect("an embedded schema compiles");
        Self { value, validator }
    }
}

macro_rules! documents {
    ($($variant:ident, $name:literal, $what:literal, $slot:ident;)*) => {
        $(static $slot: LazyLock<CompiledSchema> = LazyLock::new(|| CompiledSchema::new(DocumentKind::$variant.schema_text()));)*

        impl DocumentKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name under which its schema is published.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it is called in messages.
            pub fn what(self) -> &'static str {
                match self { $(Self::$variant => $what),* }
            }

            /// Text of the published schema that such a document satisfies.
            pub fn schema_text(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("../../schemas/", $name, ".schema.json"))),*
                }
            }

            fn compiled(self) -> &'static CompiledSchema {
                match self { $(Self::$variant => &$slot),* }
            }
        }
    };
}

documents! {
    Plan, "plan", "plan", PLAN;
    RegistryIndex, "registry_index", "registry index", REGISTRY_INDEX;
    ProbeRegistry, "probe_registry", "probe registry", PROBE_REGISTRY;
    ProfileRegistry, "profile_registry", "profile registry", PROFILE_REGISTRY;
    LandlockPolicy, "landlock_policy", "Landlock policy", LANDLOCK_POLICY;
    Launcher, "launcher", "launcher", LAUNCHER;
    World, "world", "world", WORLD;
    SystemDeclaration, "system_declaration", "system declaration", SYSTEM_DECLARATION;
    SystemDeclarationV2, "system_declaration_v2", "system declaration", SYSTEM_DECLARATION_V2;
    PlanTemplate, "plan_template", "plan template", PLAN_TEMPLATE;
}

impl DocumentKind {
    /// Whether `value` satisfies the schema.
    pub fn accepts(self, value: &Value) -> bool {
        self.compiled().validator.is_valid(value)
    }

    /// Adds a note for everything in `value` that the schema does not allow; whether it allows all of it.
    pub(super) fn check(self, value: &Value, notes: &mut Diagnostics<'_>) -> bool {
        let compiled = self.compiled();
        // The quick answer first: nearly every document is right, and the list of errors costs several times as much.
        if compiled.validator.is_valid(value) {
            return true;
        }
        let Some(wanted) = self.other_format(value, &compiled.value) else { return self.explain_all(value, notes) };
        // What else the document lacks follows from that.
        let version = &value["schema_version"];
        let message = format!("found {}, where the format `{wanted}` is needed", found(version));
        notes.error(DiagnosticKind::Format, "/schema_version", message, self.remedy(value, wanted));
        false
    }

    /// The format that is read, if `value` says that it has another one.
    fn other_format<'s>(self, value: &Value, schema: &'s Value) -> Option<&'s str> {
        let wanted = schema.pointer("/properties/schema_version/const")?.as_str()?;
        let found = value.get("schema_version")?.as_str()?;
        (found != wanted).then_some(wanted)
    }

    /// What to do about a document of another format.
    fn remedy(self, value: &Value, wanted: &str) -> String {
        let version = value["schema_version"].as_str().unwrap_or_default();
        let registry = matches!(self, Self::ProbeRegistry | Self::ProfileRegistry);
        if registry && format::standing(version, wanted) == FormatStanding::Older {
            let id = value.get("registry_id").and_then(Value::as_str).map_or("ID".to_owned(), shown);
            return format!(
                "`sandproof registry-upgrade --registry {id} --overwrite`, in that workspace or with `--root DIR`, brings it to `{wanted}`"
            );
        }
        format::remedy(version, wanted)
    }

    /// Adds a note for everything that the schema does not allow. At least something is.
    fn explain_all(self, value: &Value, notes: &mut Diagnostics<'_>) -> bool {
        /// A document that is wrong everywhere is not spelled out to its end.
        const MOST_NOTES: usize = 500;
        let compiled = self.compiled();
        for (n, error) in compiled.validator.iter_errors(value).enumerate() {
            if n == MOST_NOTES {
                notes.error(
                    DiagnosticKind::TooMany,
                    "",
                    format!("more than {MOST_NOTES} findings"),
                    "correct these first",
                );
                break;
            }
            self.explain(&error, &compiled.value, notes);
        }
        false
    }

    fn explain(self, error: &ValidationError<'_>, schema: &Value, notes: &mut Diagnostics<'_>) {
        let at = error.instance_path().as_str();
        let instance = error.instance().as_ref();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let keyword = error.schema_path().as_str();
                let parent = keyword.rsplit_once('/').map_or("", |(parent, _)| parent);
                let known: Vec<&str> = schema
                    .pointer(&format!("{parent}/properties"))
                    .and_then(Value::as_object)
                    .map(|properties| properties.keys().map(String::as_str).collect())
                    .unwrap_or_default();
                for key in unexpected {
                    let pointer = format!("{at}/{}", pointer_part(key));
                    if self == Self::Plan && at.is_empty() && key == "schema_versions" {
                        notes.error(
                            DiagnosticKind::UnknownKey,
                            pointer,
                            "a plan cannot choose the formats of artifacts (`schema_versions`)",
                            "remove the key",
                        );
                        continue;
                    }
                    notes.error(
                        DiagnosticKind::UnknownKey,
                        pointer,
                        format!("the key `{}` is unknown here", shown(key)),
                        notes.hint(key, known.iter().copied(), &format!("remove it; known are {}", known.join(", "))),
                    );
                }
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                notes.error(
                    DiagnosticKind::MissingKey,
                    at,
                    format!("the key `{key}` is missing"),
                    format!("add `{key}`"),
                );
            }
            ValidationErrorKind::Type { kind } => {
                let wanted = match kind {
                    TypeKind::Single(one) => one.to_string(),
                    TypeKind::Multiple(set) => set.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(" or "),
                };
                notes.error(
                    DiagnosticKind::WrongType,
                    at,
                    format!("found {}, where the type is {wanted}", found(instance)),
                    match instance {
                        Value::Number(_) | Value::Bool(_) if wanted == "string" => format!("write `\"{instance}\"`"),
                        _ => format!("write a value of type {wanted}"),
                    },
                );
            }
            ValidationErrorKind::Constant { expected_value } => {
                let wanted = expected_value.as_str().unwrap_or_default();
                notes.error(
                    DiagnosticKind::Format,
                    at,
                    format!("found {}, where the format `{wanted}` is needed", found(instance)),
                    format!("write `{wanted}`, if the document has that format"),
                );
            }
            ValidationErrorKind::Enum { options } => {
                let known: Vec<&str> =
                    options.as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default();
                let otherwise = format!("use one of {}", known.join(", "));
                notes.error(
                    DiagnosticKind::BadValue,
                    at,
                    format!("found {}, which is none of the known words", found(instance)),
                    notes.hint(instance.as_str().unwrap_or_default(), known, &otherwise),
                );
            }
            ValidationErrorKind::Pattern { .. }
            | ValidationErrorKind::MinLength { .. }
            | ValidationErrorKind::MaxLength { .. }
            | ValidationErrorKind::PropertyNames { .. } => notes.error(
                DiagnosticKind::BadValue,
                at,
                format!("{} cannot be an id here", found(instance)),
                "use 1 to 512 bytes without control characters",
            ),
            _ => {
                let message = format!("{}: {}", found(instance), error.masked_with("it"));
                notes.error(DiagnosticKind::BadValue, at, message, "correct the value");
            }
        }
    }
}

/// What a value is, for a message.
pub(super) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("\"{}\"", shown(text)),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(members) => format!("an object of {}", members.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_compiles_says_its_name_and_describes_its_keys() {
        fn described(value: &Value, at: &str) {
            if let Some(properties) = value.get("properties").and_then(Value::as_object) {
                assert_eq!(value["additionalProperties"], false, "{at}");
                for (key, property) in properties {
                    assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{at}/{key}");
                }
            }
            match value {
                Value::Object(members) => {
                    members.iter().for_each(|(key, member)| described(member, &format!("{at}/{key}")))
                }
                Value::Array(items) => items.iter().for_each(|item| described(item, at)),
                _ => {}
            }
        }
        for kind in DocumentKind::ALL {
            let schema = &kind.compiled().value;
            assert_eq!(schema["$id"], format!("urn:sandproof:schema:{}", kind.name()));
            jsonschema::meta::validate(schema).unwrap();
            described(schema, kind.name());
        }
    }

    #[test]
    fn the_landlock_schema_lists_the_rights_that_the_code_knows() {
        use crate::policy::landlock::rights::{FsRight, NetRight, Right, Scope};
        fn names<R: Right>() -> Vec<&'static str> {
            R::ALL.iter().map(|right| right.name()).collect()
        }
        let schema = &DocumentKind::LandlockPolicy.compiled().value;
        let listed = |class: &str| {
            let items = &schema["$defs"]["handled"]["properties"][class]["items"];
            let shared = items["$ref"].as_str().and_then(|reference| schema.pointer(reference.strip_prefix('#')?));
            shared.unwrap_or(items)["enum"].clone()
        };
        assert_eq!(listed("fs"), serde_json::json!(names::<FsRight>()));
        assert_eq!(listed("net"), serde_json::json!(names::<NetRight>()));
        assert_eq!(listed("scope"), serde_json::json!(names::<Scope>()));
    }

    /// `Reader::typed_for` looks at some members at a time, which is right only as long as nothing is asked of them together.
    #[test]
    fn nothing_is_asked_of_the_probes_of_a_registry_together() {
        let schema = &DocumentKind::ProbeRegistry.compiled().value;
        let only = |value: &Value, known: &[&str]| {
            let keywords = value.as_object().unwrap();
            assert!(keywords.keys().all(|keyword| known.contains(&keyword.as_str())), "{:?}", keywords.keys());
        };
        let about = ["$schema", "$id", "$defs", "title", "description"];
        only(schema, &[&about[..], &["type", "additionalProperties", "required", "properties"]].concat());
        only(&schema["properties"]["probes"], &["type", "description", "propertyNames", "additionalProperties"]);
    }
}
