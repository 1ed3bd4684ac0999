//! Parts of a JSON document that may be anything: what isn't what is looked for is passed over unread.

use std::marker::PhantomData;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest text that is kept, in bytes: an ARN has at most 2,048 characters.
const LONGEST: usize = 16 * 1024;

/// What is looked for at a place of a document. Whatever else stands there is `nothing`.
pub(super) trait Part<'de>: Sized {
    /// What it becomes.
    type Out;

    fn nothing(self) -> Self::Out;

    fn text(self, _: &str) -> Self::Out {
        self.nothing()
    }

    fn number(self, _: u64) -> Self::Out {
        self.nothing()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Out, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(self.nothing())
    }

    fn map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(self.nothing())
    }

    /// Reads it.
    fn read<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Out, D::Error> {
        deserializer.deserialize_any(Anything { part: self, life: PhantomData })
    }
}

struct Anything<'de, P> {
    part: P,
    life: PhantomData<&'de ()>,
}

impl<'de, P: Part<'de>> Visitor<'de> for Anything<'de, P> {
    type Value = P::Out;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<P::Out, E> {
        Ok(self.part.nothing())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<P::Out, E> {
        Ok(self.part.nothing())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<P::Out, E> {
        Ok(self.part.number(number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<P::Out, E> {
        Ok(self.part.nothing())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<P::Out, E> {
        Ok(self.part.text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<P::Out, E> {
        Ok(self.part.nothing())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<P::Out, A::Error> {
        self.part.list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<P::Out, A::Error> {
        self.part.map(map)
    }
}

/// A text, where one stands that isn't too long.
pub(super) struct Text;

impl Part<'_> for Text {
    type Out = Option<String>;

    fn nothing(self) -> Option<String> {
        None
    }

    fn text(self, text: &str) -> Option<String> {
        (text.len() <= LONGEST).then(|| text.to_owned())
    }
}

/// A number, where one stands.
pub(super) struct Number;

impl Part<'_> for Number {
    type Out = Option<u64>;

    fn nothing(self) -> Option<u64> {
        None
    }

    fn number(self, number: u64) -> Option<u64> {
        Some(number)
    }
}

/// A part as serde asks for it.
pub(super) struct Seed<P>(pub P);

impl<'de, P: Part<'de>> serde::de::DeserializeSeed<'de> for Seed<P> {
    type Value = P::Out;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<P::Out, D::Error> {
        self.0.read(deserializer)
    }
}
