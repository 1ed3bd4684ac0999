//! What `terraform show -json` prints, read as it comes.
//!
//! That document holds the values of secrets. So it is never held as a whole: of types that have to do with rotation some attributes are
//! read by name, and everything else is passed over by serde's reader without becoming a text.

use std::io::{BufReader, Cursor, Read};

use serde::de::{DeserializeSeed as _, IgnoredAny, MapAccess, SeqAccess};
use serde_json::error::Category;

use super::part::{Number, Part, Seed, Text};
use super::{Resource, State};

/// The most that is read, in bytes.
const LARGEST: u64 = 1 << 30;

/// The most resources that are kept.
const MOST: usize = 500_000;

/// Why a document isn't taken.
#[derive(Debug)]
pub enum Wrong {
    /// It can't be read.
    Io(std::io::Error),
    /// Nothing is in it.
    Nothing,
    /// It is text of two bytes a character, as a shell of Windows writes it.
    Utf16,
    /// It is no JSON from a line and column on; at the first character, it may be what `terraform show` prints for people.
    NoJson(usize, usize),
    /// It ends too early.
    Truncated,
    /// It is more than is read, in bytes.
    TooLarge(u64),
    /// It has more resources than are read.
    TooMany(usize),
    /// It is a plan as JSON.
    Plan,
    /// It is what a command with `-json` logs, line by line.
    Log,
    /// It is Terraform's own state file, of this version.
    StateFile(Option<u64>),
    /// It is another document.
    Other,
    /// Its version isn't known.
    Format(String),
    /// It has no resources.
    Empty,
    /// A resource says its attributes before its type.
    Order,
}

/// Reads a document.
pub fn read(mut reader: impl Read) -> Result<State, Wrong> {
    let mut first = Vec::new();
    reader.by_ref().take(3).read_to_end(&mut first).map_err(Wrong::Io)?;
    if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) {
        return Err(Wrong::Utf16);
    }
    if first == [0xef, 0xbb, 0xbf] {
        first.clear();
    }
    let mut reader = BufReader::new(Cursor::new(first).chain(Limited { reader, left: LARGEST }));
    if is_blank(&mut reader).map_err(Wrong::Io)? {
        return Err(Wrong::Nothing);
    }
    let mut document = Document::default();
    let mut json = serde_json::Deserializer::from_reader(reader);
    let read = Seed(Top(&mut document)).deserialize(&mut json).and_then(|()| json.end());
    match (document.wrong.take(), read) {
        (Some(wrong), _) => Err(wrong),
        (None, Err(error)) => Err(wrong_of(error)),
        (None, Ok(())) => document.end(),
    }
}

/// Passes over white space; whether nothing else is there.
fn is_blank(reader: &mut impl std::io::BufRead) -> std::io::Result<bool> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(true);
        }
        let blank = buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let is_all = blank == buffer.len();
        // What stands before the document counts for its lines and columns.
        if !is_all {
            return Ok(false);
        }
        reader.consume(blank);
    }
}

/// What serde's reader says, without its words: those could quote the document.
fn wrong_of(error: serde_json::Error) -> Wrong {
    match error.classify() {
        Category::Io => {
            let error = std::io::Error::from(error);
            if error.kind() == std::io::ErrorKind::FileTooLarge { Wrong::TooLarge(LARGEST) } else { Wrong::Io(error) }
        }
        Category::Eof => Wrong::Truncated,
        Category::Syntax => Wrong::NoJson(error.line(), error.column()),
        Category::Data => Wrong::Other,
    }
}

/// A reader that ends with an error where there is too much.
struct Limited<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let left = self.left.checked_sub(u64::try_from(read).unwrap_or(u64::MAX));
        self.left = left.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
        Ok(read)
    }
}

/// What is known of a document so far.
#[derive(Default)]
struct Document {
    state: State,
    format: Option<String>,
    has_values: bool,
    /// What ended the reading.
    wrong: Option<Wrong>,
}

impl Document {
    /// Ends the reading.
    fn stop<E: serde::de::Error>(&mut self, wrong: Wrong) -> E {
        self.wrong.get_or_insert(wrong);
        E::custom("")
    }

    fn end(self) -> Result<State, Wrong> {
        let Some(format) = self.format else { return Err(Wrong::Other) };
        // `hashicorp/terraform-json` reads these too: what is read here has been the same in all of them.
        if !format.starts_with("0.") && !format.starts_with("1.") {
            return Err(Wrong::Format(format));
        }
        if self.has_values { Ok(self.state) } else { Err(Wrong::Empty) }
    }
}

/// A name in an object: one of those that are known, by their place in a list.
struct Name(&'static [&'static str]);

impl Part<'_> for Name {
    type Out = Option<&'static str>;

    fn nothing(self) -> Option<&'static str> {
        None
    }

    fn text(self, text: &str) -> Option<&'static str> {
        self.0.iter().find(|name| **name == text).copied()
    }
}

/// The next name of an object: one of those that are known, else an empty text.
fn name<'de, A: MapAccess<'de>>(map: &mut A, known: &'static [&'static str]) -> Result<Option<&'static str>, A::Error> {
    Ok(map.next_key_seed(Seed(Name(known)))?.map(Option::unwrap_or_default))
}

/// The whole.
struct Top<'a>(&'a mut Document);

impl<'de> Part<'de> for Top<'_> {
    type Out = ();

    fn nothing(self) {}

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let known = &[
            "format_version",
            "terraform_version",
            "values",
            "planned_values",
            "resource_changes",
            "prior_state",
            "@level",
            "@message",
            "version",
            "lineage",
            "serial",
        ];
        while let Some(name) = name(&mut map, known)? {
            match name {
                "format_version" => self.0.format = map.next_value_seed(Seed(Text))?,
                "terraform_version" => self.0.state.version = map.next_value_seed(Seed(Text))?,
                "values" => {
                    self.0.has_values = true;
                    map.next_value_seed(Seed(Values(self.0)))?;
                }
                "planned_values" | "resource_changes" | "prior_state" => return Err(self.0.stop(Wrong::Plan)),
                "@level" | "@message" => return Err(self.0.stop(Wrong::Log)),
                "version" => {
                    let version = map.next_value_seed(Seed(Number))?;
                    return Err(self.0.stop(Wrong::StateFile(version)));
                }
                "lineage" | "serial" => return Err(self.0.stop(Wrong::StateFile(None))),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The state's values.
struct Values<'a>(&'a mut Document);

impl<'de> Part<'de> for Values<'_> {
    type Out = ();

    fn nothing(self) {}

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = name(&mut map, &["root_module"])? {
            match name {
                "root_module" => map.next_value_seed(Seed(Module(self.0)))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A module, with those below it: serde's reader bounds how deep they are.
struct Module<'a>(&'a mut Document);

impl<'de> Part<'de> for Module<'_> {
    type Out = ();

    fn nothing(self) {}

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = name(&mut map, &["resources", "child_modules"])? {
            match name {
                "resources" => map.next_value_seed(Seed(Resources(self.0)))?,
                "child_modules" => map.next_value_seed(Seed(Modules(self.0)))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Modules<'a>(&'a mut Document);

impl<'de> Part<'de> for Modules<'_> {
    type Out = ();

    fn nothing(self) {}

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Seed(Module(self.0)))?.is_some() {}
        Ok(())
    }
}

struct Resources<'a>(&'a mut Document);

impl<'de> Part<'de> for Resources<'_> {
    type Out = ();

    fn nothing(self) {}

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Seed(OneResource(self.0)))?.is_some() {}
        Ok(())
    }
}

/// An instance of a resource.
struct OneResource<'a>(&'a mut Document);

impl<'de> Part<'de> for OneResource<'_> {
    type Out = ();

    fn nothing(self) {}

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut resource = Resource::default();
        let (mut is_managed, mut is_deposed, mut kind) = (true, false, None);
        while let Some(name) = name(&mut map, &["address", "mode", "type", "values", "deposed_key"])? {
            match name {
                "address" => resource.address = map.next_value_seed(Seed(Text))?,
                "mode" => is_managed = map.next_value_seed(Seed(Name(&["managed"])))?.is_some(),
                "type" => kind = Some(map.next_value_seed(Seed(Name(&Resource::TYPES)))?.unwrap_or_default()),
                // An old object that Terraform is about to destroy: its instance is in the list too, or gone.
                "deposed_key" => {
                    is_deposed = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "values" => match kind {
                    None => return Err(self.0.stop(Wrong::Order)),
                    Some(kind) if is_managed && !kind.is_empty() => {
                        map.next_value_seed(Seed(Attributes(&mut resource)))?;
                    }
                    Some(_) => drop(map.next_value::<IgnoredAny>()?),
                },
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let Some(kind) = kind.filter(|kind| is_managed && !is_deposed && !kind.is_empty()) else { return Ok(()) };
        if self.0.state.take(kind, resource) > MOST {
            return Err(self.0.stop(Wrong::TooMany(MOST)));
        }
        Ok(())
    }
}

/// The attributes that are read of a resource: ARNs, and no others.
struct Attributes<'a>(&'a mut Resource);

impl<'de> Part<'de> for Attributes<'_> {
    type Out = ();

    fn nothing(self) {}

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = name(&mut map, &["arn", "id", "secret_id", "rotation_lambda_arn"])? {
            let attribute = match name {
                "arn" => &mut self.0.arn,
                "id" => &mut self.0.id,
                "secret_id" => &mut self.0.secret_id,
                "rotation_lambda_arn" => &mut self.0.rotation_lambda_arn,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *attribute = map.next_value_seed(Seed(Text))?;
        }
        Ok(())
    }
}
