use super::{Beginning, Kind, Language, Target, parts};

fn beginning(kind: Kind, language: Language) -> Beginning {
    Beginning {
        kind,
        language,
        project: "acme".to_owned(),
        function: kind.function().to_owned(),
        secret: format!("acme/{}", kind.word()),
        target: Target::default(),
        schema: None,
    }
}

/// Without it, a part that is misspelt would stay a comment, and its functions be missing.
#[test]
fn every_part_is_put_in_its_place() {
    for language in Language::ALL {
        for kind in Kind::ALL {
            for file in beginning(kind, language).files() {
                assert!(!file.text.contains("part: "), "{}: {}", file.path, file.text);
            }
            let code = parts::code(kind, language);
            assert!(code.ends_with(super::contract(language)), "{code}");
            let (first, second) = kind.own();
            for name in [first, second] {
                let name = language.name(name);
                let defined =
                    code.matches(&format!("def {name}(")).count() + code.matches(&format!("function {name}(")).count();
                assert_eq!(defined, 1, "{name} in {code}");
            }
        }
    }
}

/// Without it, a name that is a number or a list to YAML would make another manifest.
#[test]
fn names_stay_texts() {
    let odd = Beginning {
        project: "2030".to_owned(),
        secret: "null".to_owned(),
        target: Target { account: Some("012345678901".to_owned()), region: Some("eu-west-1".to_owned()) },
        ..beginning(Kind::AdminPassword, Language::Node)
    };
    let text = &odd.files()[0].text;
    for said in [
        "project: \"2030\"\n",
        "  \"null\":\n    function: SecretsManagerAdminPassword\n",
        "targets:\n  main: {region: eu-west-1, account: \"012345678901\"}\n",
        "role: {read_secrets: [\"2030/admin\"]}",
        "handler: index.handler",
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }
}
