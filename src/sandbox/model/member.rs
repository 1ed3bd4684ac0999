//! The members of requests, and what each may be.

/// No upper limit.
pub const NO_LIMIT: usize = usize::MAX;

/// What a member may be.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A text of so many characters, and which matches a pattern as a whole. The pattern is the model's own.
    Text(usize, usize, Option<&'static str>),
    /// A text out of these.
    OneOf(&'static [&'static str]),
    /// True or false.
    Flag,
    /// A whole number in a range.
    Number(i64, i64),
    /// Any number.
    Decimal,
    /// Base64 of so many bytes.
    Blob(usize, usize),
    /// A list of so many.
    List(usize, usize, &'static Kind),
    /// Keys and values, so many pairs.
    Map(usize, usize, &'static Kind, &'static Kind),
    /// A structure. Members that it doesn't know are ignored, in all of AWS's protocols.
    Structure(&'static [Member]),
    /// Something whose value is never repeated in a message.
    Secret(&'static Kind),
}

/// Any text.
pub const TEXT: Kind = text(0, NO_LIMIT);
/// True or false.
pub const FLAG: Kind = Kind::Flag;
/// Any whole number that the models' integers hold.
pub const NUMBER: Kind = Kind::Number(i32::MIN as i64, i32::MAX as i64);

/// A text of so many characters.
pub const fn text(least: usize, most: usize) -> Kind {
    Kind::Text(least, most, None)
}

/// A text that matches a pattern.
pub const fn pattern(pattern: &'static str) -> Kind {
    matching(0, NO_LIMIT, pattern)
}

/// A text of so many characters that matches a pattern.
pub const fn matching(least: usize, most: usize, pattern: &'static str) -> Kind {
    Kind::Text(least, most, Some(pattern))
}

/// A member of a request.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name in the body; in messages with a small first letter.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
    /// Where a REST request has it.
    pub place: Place,
}

/// Where a REST request has a member. The other protocols have all of them in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the JSON body.
    Body,
    /// In the path, under its own name.
    Label,
    /// In the query string, under this name.
    Query(&'static str),
    /// In the header of this name.
    Header(&'static str),
}

/// A member that must be there.
pub const fn required(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: true, place: Place::Body }
}

/// A member that may be there.
pub const fn optional(name: &'static str, kind: Kind) -> Member {
    Member { name, kind, required: false, place: Place::Body }
}

impl Member {
    /// The same in the path.
    #[must_use]
    pub const fn label(self) -> Self {
        Self { place: Place::Label, ..self }
    }

    /// The same in the query string, under its own name.
    #[must_use]
    pub const fn query(self) -> Self {
        Self { place: Place::Query(self.name), ..self }
    }

    /// The same in the query string, under another name.
    #[must_use]
    pub const fn query_as(self, name: &'static str) -> Self {
        Self { place: Place::Query(name), ..self }
    }

    /// The same in a header, whose name is given in lower case.
    #[must_use]
    pub const fn header(self, name: &'static str) -> Self {
        Self { place: Place::Header(name), ..self }
    }
}

/// The member's name as AWS's messages spell it: with a small first letter.
pub fn spelt(name: &str) -> String {
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    name
}
