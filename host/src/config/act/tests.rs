use std::path::Path;

use super::super::read;
use super::super::testing::{Files, Modules, names, outline, report, sentences_of_reading};

#[test]
fn define_and_undefine() {
    assert_eq!(names("Define x 1\nA ${x}\nDefine x 2\nA ${x}${x}"), ["A 1", "A 22"]);
    assert_eq!(names("DEFINE x \"a b\"\nA ${x} \"${x}\""), ["A a b a b"]);
    assert_eq!(names("Define x A\n${x} ${x}"), ["A A"]);
    assert_eq!(
        names("<IfDefine x>\nA\n</IfDefine>\nDefine x\n<IfDefine x>\nB\n</IfDefine>"),
        ["B"]
    );
    let text = "Define x\nUnDefine x\n<IfDefine !x>\nA\n</IfDefine>";
    assert_eq!(names(text), ["A"]);
}

#[test]
fn a_value_is_split_into_words() {
    let tree = Files::new(&[("gearbox.conf", "Define x \"a b\"\nA ${x} \"${x}\"")]).read();
    assert_eq!(outline(&tree)[0].1, ["a", "b", "a b"]);
}

#[test]
fn define_gone_wrong() {
    assert_eq!(
        sentences_of_reading(
            "Define\nDefine a b c\nUnDefine\nDefine a:b\nUnDefine a:b\nDefine \"\""
        ),
        [
            "Define takes 1-2 arguments, Define a variable, optionally to a value.  Same as \
             passing -D to the command line.",
            "Define takes 1-2 arguments, Define a variable, optionally to a value.  Same as \
             passing -D to the command line.",
            "UnDefine takes one argument, Undefine the existence of a variable. Undo a Define.",
            "Variable name must not contain ':'",
            "Variable name must not contain ':'",
            "Define takes 1-2 arguments, Define a variable, optionally to a value.  Same as \
             passing -D to the command line.",
        ]
    );
    assert_eq!(sentences_of_reading("<S>\nDefine a\n</S>"), ["Define not allowed in <S> context"]);
}

#[test]
fn includes_stand_in_their_place() {
    let files = Files::new(&[
        ("gearbox.conf", "A\nInclude conf.d/*.conf\nIncludeOptional none.conf no/*.x\nZ"),
        ("conf.d/b.conf", "B ${x}"),
        ("conf.d/a.conf", "<S>\nInclude \"sub dir\"\n</S>\nDefine x 1"),
        ("sub dir/1", "In1"),
        ("sub dir/deep/2", "In2"),
    ]);
    let tree = files.read();
    let sentence = "IncludeOptional takes one argument, Name or pattern of the config file(s) to be \
                    included; ignored if the file does not exist or the pattern does not match any \
                    files";
    assert_eq!(tree.problems[0].sentence, sentence);
    let names: Vec<_> =
        outline(&tree).into_iter().map(|(name, words, _)| (name, words.len())).collect();
    let expected = [("A", 0), ("S", 0), ("In1", 0), ("In2", 0), ("B", 1), ("Z", 0)];
    assert_eq!(names, expected.map(|(name, count)| (name.to_owned(), count)));
    let read: Vec<_> =
        tree.files.iter().map(|path| path.strip_prefix(files.root()).unwrap()).collect();
    let expected =
        ["gearbox.conf", "conf.d/a.conf", "sub dir/1", "sub dir/deep/2", "conf.d/b.conf"];
    assert_eq!(read, expected.map(Path::new));
}

#[test]
fn includes_that_are_not_there() {
    let files = Files::new(&[(
        "gearbox.conf",
        "Include none.conf\nInclude no*.conf\nIncludeOptional none.conf\nIncludeOptional no*.conf",
    )]);
    assert_eq!(
        files.report(),
        "AH00526: Syntax error on line 1 of /etc/gearbox/gearbox.conf:\n\
         Could not open configuration file /etc/gearbox/none.conf: No such file or directory\n\
         \x20   1 | Include none.conf\n\
         \x20     |         ^^^^^^^^^\n\
         AH00526: Syntax error on line 2 of /etc/gearbox/gearbox.conf:\n\
         No matches for the wildcard 'no*.conf' in '/etc/gearbox', failing\n\
         \x20   2 | Include no*.conf\n\
         \x20     |         ^^^^^^^^ use IncludeOptional if required\n"
    );
}

#[test]
fn include_loops() {
    let files = Files::new(&[
        ("gearbox.conf", "Include a.conf"),
        ("a.conf", "KeepAlive On\nInclude ./b.conf"),
        ("b.conf", "\n\nInclude a.conf\nFactor 2"),
    ]);
    assert_eq!(
        files.report().lines().take(4).collect::<Vec<_>>(),
        [
            "AH00526: Syntax error on line 3 of /etc/gearbox/b.conf:",
            "/etc/gearbox/a.conf includes itself",
            "    3 | Include a.conf",
            "      |         ^^^^^^ /etc/gearbox/gearbox.conf:1 -> /etc/gearbox/a.conf:2 -> \
             /etc/gearbox/b.conf:3 -> /etc/gearbox/a.conf",
        ]
    );
    let names: Vec<_> = outline(&files.read()).into_iter().map(|node| node.0).collect();
    assert_eq!(names, ["KeepAlive", "Factor"]);
    files.write("gearbox.conf", "IncludeOptional gear*.conf");
    assert_eq!(files.sentences(), ["/etc/gearbox/gearbox.conf includes itself"]);
}

#[test]
fn the_same_file_may_be_included_twice() {
    let files = Files::new(&[("gearbox.conf", "Include a\nInclude a"), ("a", "A")]);
    assert_eq!(files.names(), ["A", "A"]);
    assert_eq!(files.read().files.len(), 2);
}

#[test]
fn include_depth() {
    let files = Files::new(&[("gearbox.conf", "Include 1")]);
    for depth in 1..=16 {
        files.write(&depth.to_string(), format!("Include {}", depth + 1));
    }
    files.write("17", "A");
    let problem = files.read().problems.remove(0);
    let sentence = "Exceeded maximum include depth of 16, There appears to be a recursion.";
    assert_eq!(problem.sentence, sentence);
    assert_eq!(problem.place.file(), files.root().join("16"));
    assert_eq!(problem.hint.unwrap().matches(" -> ").count(), 17);
    files.write("16", "A");
    assert_eq!(files.names(), ["A"]);
}

#[test]
fn server_root() {
    let files = Files::new(&[
        ("gearbox.conf", "ServerRoot sub\nInclude x\nServerRoot none\nServerRoot\nInclude x"),
        ("sub/x", "A"),
        ("file", ""),
    ]);
    let tree = files.read();
    assert_eq!(tree.server_root(), files.root().join("sub"));
    assert_eq!(outline(&tree).len(), 2);
    let sentences: Vec<_> = tree.problems().iter().map(|p| p.sentence.as_str()).collect();
    assert_eq!(
        sentences,
        [
            "ServerRoot must be a valid directory",
            "ServerRoot takes one argument, Common directory of server-related files (logs, \
             confs, etc.)",
        ]
    );
    files.write("gearbox.conf", "<Directory /x>\nServerRoot sub\n</Directory>\nServerRoot file");
    let expected =
        ["ServerRoot not allowed in <Directory> context", "ServerRoot must be a valid directory"];
    assert_eq!(files.sentences(), expected);
}

#[test]
fn modules_are_loaded_while_reading() {
    let files = Files::new(&[(
        "gearbox.conf",
        "LoadModule mpm_event_module modules/\"x.so\n<IfModule event.c>\nThreadsPerChild 5\n\
         </IfModule>\nLoadModule dir_module x\nLoadModule mpm_event_module y\nLoadModule no no.so",
    )]);
    let mut modules = Modules::default();
    let tree = read(&files.input, &mut modules);
    let root = files.root();
    let place = format!("{}:1:1", files.input.file.display());
    let call = ("mpm_event_module".into(), "modules/\"x.so".into(), root.to_owned(), place);
    assert_eq!(modules.calls[0], call);
    assert_eq!(outline(&tree).len(), 1);
    let found: Vec<_> = tree.problems().iter().map(|p| (p.code, p.sentence.as_str())).collect();
    let expected = [
        ("GB0103", "module dir_module is built in, no need to load it"),
        ("AH01574", "module mpm_event_module is already loaded, skipping"),
        ("AH00526", "Cannot load no.so into server: no such file"),
    ];
    assert_eq!(found, expected);
    assert!(tree.module_rows().any(|row| row.name == "ThreadsPerChild"));
}

#[test]
fn load_module_gone_wrong() {
    let two = "LoadModule takes two arguments, a module name and the name of a shared object file \
               to load it from";
    let text = "LoadModule\nLoadModule a\nLoadModule a b c\nLoadModule \"\" b";
    assert_eq!(sentences_of_reading(text), [two; 4]);
    let text = "<Location /x>\nLoadModule a b\n</Location>";
    assert_eq!(sentences_of_reading(text), ["LoadModule not allowed in <Location> context"]);
}

#[test]
fn a_module_asked_for_before_it_is_loaded() {
    assert_eq!(
        report(
            "<IfModule mpm_event_module>\nThreadsPerChild 5\n</IfModule>\n<IfModule !event.c>\n\
             </IfModule>\n<IfModule other>\n</IfModule>\nLoadModule mpm_event_module x\n"
        ),
        "GB0102: Warning on line 1 of /etc/gearbox/gearbox.conf:\n\
         <IfModule mpm_event_module> counts mpm_event_module as not loaded, because its \
         LoadModule comes later, on line 8 of /etc/gearbox/gearbox.conf\n\
         \x20   1 | <IfModule mpm_event_module>\n\
         \x20     |           ^^^^^^^^^^^^^^^^ move the LoadModule line up\n\
         GB0102: Warning on line 4 of /etc/gearbox/gearbox.conf:\n\
         <IfModule event.c> counts event.c as not loaded, because its LoadModule comes later, \
         on line 8 of /etc/gearbox/gearbox.conf\n\
         \x20   4 | <IfModule !event.c>\n\
         \x20     |            ^^^^^^^ move the LoadModule line up\n"
    );
}
