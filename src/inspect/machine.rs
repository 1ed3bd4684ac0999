//! Programs and libraries in machine code, as far as their first bytes and their names of versions tell.

/// How much of a file tells what it is, in bytes.
pub(super) const HEADER: usize = 64;

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Linux's, for this processor.
    Elf(Processor),
    /// macOS's.
    Mach,
    /// Windows's.
    Windows,
    Other,
}

/// A processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processor {
    X86,
    Arm,
    Other,
}

impl Processor {
    /// The one of Lambda's architecture; its default where none is stated.
    pub fn of(architecture: Option<&str>) -> Self {
        match architecture {
            None | Some("x86_64") => Self::X86,
            Some("arm64") => Self::Arm,
            Some(_) => Self::Other,
        }
    }

    /// Lambda's name of it.
    pub fn word(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
            Self::Other => "another architecture",
        }
    }
}

impl Kind {
    /// Reads a header (ELF, `e_machine`; Mach-O and PE by their magic numbers).
    pub fn of(header: &[u8]) -> Self {
        match header {
            [0x7f, b'E', b'L', b'F', class, ..] if header.len() > 19 => {
                let machine = u16::from_le_bytes([header[18], header[19]]);
                Self::Elf(match (class, machine) {
                    (2, 62) => Processor::X86,
                    (2, 183) => Processor::Arm,
                    _ => Processor::Other,
                })
            }
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..]
            | [0xfe, 0xed, 0xfa, 0xcf | 0xce, ..]
            | [0xca, 0xfe, 0xba, 0xbe, ..] => Self::Mach,
            [b'M', b'Z', ..] => Self::Windows,
            _ => Self::Other,
        }
    }
}

/// The newest version of the C library that a program or library asks for: the minor one of `GLIBC_2.34`. Such names stand in it as
/// texts that end in a zero.
pub(super) fn glibc(content: &[u8]) -> Option<u8> {
    let names = content.split(|byte| *byte == 0).filter_map(|text| text.strip_prefix(b"GLIBC_2."));
    names
        .filter(|rest| rest.len() < 8)
        .filter_map(|rest| std::str::from_utf8(rest).ok()?.split('.').next()?.parse().ok())
        .max()
}

/// The minor version of the C library that a runtime has: Amazon Linux 2 has 2.26, Amazon Linux 2023 has 2.34 (AWS Lambda, "Runtimes").
pub(super) fn glibc_of(runtime: &str) -> Option<u8> {
    const OLD: [&str; 12] = [
        "python3.8",
        "python3.9",
        "python3.10",
        "python3.11",
        "provided.al2",
        "nodejs14.x",
        "nodejs16.x",
        "nodejs18.x",
        "java8.al2",
        "java11",
        "java17",
        "ruby3.2",
    ];
    const NEW: [&str; 10] = [
        "python3.12",
        "python3.13",
        "python3.14",
        "provided.al2023",
        "nodejs20.x",
        "nodejs22.x",
        "nodejs24.x",
        "java21",
        "java25",
        "ruby3.3",
    ];
    if OLD.contains(&runtime) {
        return Some(26);
    }
    NEW.contains(&runtime).then_some(34)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without it, a library of another processor would be met by the first rotation.
    #[test]
    fn headers_are_told_apart() {
        let elf = |class: u8, machine: u8| {
            let mut header = [0; HEADER];
            header[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', class]);
            header[18] = machine;
            Kind::of(&header)
        };
        assert_eq!(elf(2, 62), Kind::Elf(Processor::X86));
        assert_eq!(elf(2, 183), Kind::Elf(Processor::Arm));
        assert_eq!(elf(1, 3), Kind::Elf(Processor::Other));
        assert_eq!(Kind::of(b"\xcf\xfa\xed\xfe...."), Kind::Mach);
        assert_eq!(Kind::of(b"MZ"), Kind::Windows);
        for other in [&b""[..], b"\x7fELF", b"#!/bin/sh", b"\xca\xfe"] {
            assert_eq!(Kind::of(other), Kind::Other);
        }
        assert_eq!(glibc(b"..\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_2.99x\0aGLIBC_2.50"), Some(34));
        assert_eq!(glibc(b"GLIBC_PRIVATE"), None);
    }
}
