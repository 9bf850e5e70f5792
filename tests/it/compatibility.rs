//! `docs/compatibility.md` leaves nothing out.

use std::fs;

use crate::support::root;

#[test]
fn the_page_names_every_schema_every_command_and_every_weakness() {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    for entry in fs::read_dir(root().join("schemas")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".schema.json").expect("only schemas lie in schemas/");
        assert!(page.contains(&format!("`{name}`")), "the schema `{name}` is not on the page");
    }
    for command in sandproof::cli::visible().get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = command.get_name();
        let row = page.lines().any(|line| line.starts_with("| `") && line.contains(&format!("`{name}`")));
        assert!(row, "the command `{name}` has no row on the page");
    }
    let numbers: Vec<u32> =
        page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()?.parse().ok()).collect();
    assert_eq!(numbers, (1..=112).collect::<Vec<u32>>(), "the weaknesses are not each there once, in order");
}

#[test]
fn what_the_page_calls_a_function_is_one() {
    let page = fs::read_to_string(root().join("docs/compatibility.md")).unwrap();
    let api = fs::read_to_string(root().join("src/api.rs")).unwrap();
    let library = page.split("## 4. Library").nth(1).unwrap().split("## 5.").next().unwrap();
    let mut seen = 0;
    for path in library.split('`').filter(|text| text.contains("::") && !text.starts_with("sandproof")) {
        let (module, names) = path.split_once("::").unwrap();
        let body = api.split(&format!("pub mod {module} {{")).nth(1).unwrap_or_else(|| panic!("no module `{module}`"));
        let body = body.split("\n}").next().unwrap();
        for name in names.trim_matches(['{', '}']).split(", ") {
            assert!(body.contains(name), "`{module}` has no `{name}`");
            seen += 1;
        }
    }
    assert!(seen > 8, "only {seen} functions were looked for");
}
