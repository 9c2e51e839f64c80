use super::super::testing::{ROWS, report, resolve_text, sentences};

#[test]
fn unknown_directives() {
    assert_eq!(
        report("\nListne 8080\n"),
        "AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         Invalid command 'Listne', perhaps misspelled or defined by a module not included in the \
         server configuration\n\
         \x20   2 | Listne 8080\n\
         \x20     | ^^^^^^ did you mean 'Listen'?\n"
    );
    let without_hint = report("Nonsense / x\n");
    assert!(without_hint.ends_with("\n      | ^^^^^^^^\n"), "{without_hint}");
}

#[test]
fn directives_of_httpd() {
    for (name, sentence) in [
        ("ProxyPass", "ProxyPass is not supported yet"),
        ("errordocument", "errordocument is not supported yet"),
    ] {
        assert_eq!(sentences(&format!("{name} / x")), [sentence]);
    }
    let lacking = "LoadModule mpm_event_module x\nMinSpareThreads 5";
    assert_eq!(sentences(lacking), ["MinSpareThreads is not supported yet by mpm_event_module"]);
}

const HT: &str = "names that begin with .ht are never served; a section that says so can go";

#[test]
fn hints() {
    let hint = |text: &str| {
        let problems = resolve_text(text, &[ROWS]).unwrap_err();
        problems.iter().last().unwrap().hint.clone().unwrap_or_default()
    };
    for (text, expected) in [
        ("lodmodule a b", "did you mean 'LoadModule'?"),
        ("Require-all", ""),
        ("StartServer 5", "did you mean 'StartServers'?"),
        ("Inclde x", "did you mean 'Include'?"),
        ("<Directry /x>\n</Directry>", "did you mean '<Directory>'?"),
        ("<IfModul x>\n</IfModul>", "did you mean '<IfModule>'?"),
        ("<Something>\n</Something>", ""),
        (
            "startservers 5",
            "defined by mpm_event_module, mpm_worker_module, mpm_prefork_module, not by what is \
             loaded",
        ),
        ("MinSpareServers 5", "defined by mpm_prefork_module, not by what is loaded"),
        (
            "LoadModule mpm_mine_module x\nMine 1",
            "perhaps one of mpm_mine_module, which could not be loaded",
        ),
        ("<Files \".ht*\">\nRequire all denied\n</Files>", HT),
        ("<FilesMatch \"^\\.ht\">\n</FilesMatch>", HT),
        ("EventTestHok x", ""),
        ("LoadModule mpm_event_module x\nThreadPerChild 1", "did you mean 'ThreadsPerChild'?"),
        // A hidden directive is known, and not given away.
        ("LoadModule mpm_event_module x\nEventTestHok 1", ""),
    ] {
        assert_eq!(hint(text), expected, "{text}");
    }
}

#[test]
fn what_follows_from_a_failed_load_is_not_reported() {
    // Whose directives they are is not known, where the name of the module is a slip.
    let slip = "StartServers 5\nMinSpareServers 5\nLoadModule mpm_evnt_module e.so";
    assert_eq!(sentences(slip), ["Cannot load e.so into server: no such file"]);
    let text = "StartServers 5\nMinSpareServers 5\nLoadModule mpm_worker_module w.so\nNonsense";
    let found = sentences(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("Invalid command 'MinSpareServers'"));
    assert_eq!(found[1], "Cannot load w.so into server: no such file");
    assert!(found[2].starts_with("Invalid command 'Nonsense'"));
}

#[test]
fn sections_that_are_refused() {
    for name in [
        "VirtualHost",
        "Files",
        "FilesMatch",
        "DirectoryMatch",
        "LocationMatch",
        "Limit",
        "LimitExcept",
        "If",
        "Proxy",
        "IfVersion",
        "IfFile",
    ] {
        let lower = name.to_ascii_lowercase();
        let text = format!("<{lower} x>\nListen\n<Nonsense>\nA\n</Nonsense>\n</{lower}>");
        assert_eq!(sentences(&text), [format!("<{name}> sections are not supported yet")]);
    }
    let found = sentences("<Xyz>\nNonsense\n</Xyz>");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("Invalid command '<Xyz', perhaps misspelled"));
    let text = "<Directory /x>\n<Limit GET>\nRequire x\n</Limit>\n</Directory>";
    assert_eq!(sentences(text), ["<Limit> sections are not supported yet"]);
}
