use super::*;
use crate::record::manifest::ChannelKind;

/// The world of an ordinary Linux host: its id is made from facts.
const HOST_WORLD: &str = "linux-host";

/// The names of `fact`; the schema of a world's document lists the same.
const FACTS: [&str; 12] = [
    "os",
    "kernel_release",
    "kernel_version",
    "arch",
    "product_version",
    "product_build",
    "shared_cache_uuid",
    "sip_config",
    "virtual_machine",
    "landlock_abi",
    "landlock_errata",
    "lsms",
];

fn host() -> HostFacts {
    HostFacts {
        os: "linux".into(),
        kernel_release: Some("6.18.44-a b/c".into()),
        arch: Some("x86_64".into()),
        landlock_abi: Some(7),
        uid_class: "user".into(),
        ..HostFacts::default()
    }
}

fn document(text: &str) -> WorldFile {
    serde_json::from_str(text).unwrap()
}

fn linux() -> WorldFile {
    document(include_str!("../../registries/worlds/linux-host.json"))
}

fn sonoma() -> WorldFile {
    document(include_str!("../../registries/worlds/sonoma-14.4.1-23E224-arm64-dyld-2c0602c5.json"))
}

fn mac() -> HostFacts {
    HostFacts {
        os: "macos".into(),
        arch: Some("arm64".into()),
        product_version: Some("14.4.1".into()),
        product_build: Some("23E224".into()),
        ..HostFacts::default()
    }
}

fn linux_id(host: &HostFacts) -> String {
    id(&WorldId::new(HOST_WORLD).unwrap(), Some(&linux()), host).unwrap().to_string()
}

#[test]
fn every_fact_has_a_name_and_can_be_read() {
    let full = HostFacts {
        kernel_version: Some("#1".into()),
        shared_cache_uuid: Some("u".into()),
        sip_config: Some(0),
        virtual_machine: Some(false),
        landlock_errata: Some(vec![1, 3]),
        lsms: Some(vec!["capability".into(), "landlock".into()]),
        kernel_release: Some("6.18".into()),
        landlock_abi: Some(7),
        ..mac()
    };
    for name in FACTS {
        assert!(fact(&full, name).is_some(), "{name}");
    }
    assert_eq!(fact(&full, "landlock_errata").as_deref(), Some("1,3"));
    assert_eq!(fact(&full, "lsms").as_deref(), Some("capability,landlock"));
    assert_eq!(fact(&full, "hostname"), None);
    assert_eq!(fact(&HostFacts::default(), "sip_config"), None);
}

#[test]
fn the_schema_lists_the_same_facts() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../schemas/world.schema.json")).unwrap();
    let mut facts = FACTS.to_vec();
    assert_eq!(schema["properties"]["derive_id"]["items"]["enum"], serde_json::json!(facts));
    let members = schema["properties"]["match"]["properties"].as_object().unwrap();
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    facts.sort_unstable();
    names.sort_unstable();
    assert_eq!(names, facts);
}

#[test]
fn the_host_world_is_made_of_facts_and_can_be_read() {
    let known = linux_id(&host());
    let (text, suffix) = known.rsplit_once('-').unwrap();
    assert_eq!(text, "linux-6.18.44_a_b_c-x86_64-landlock-7");
    assert!(suffix.len() == SUFFIX_DIGITS && suffix.bytes().all(|b| b.is_ascii_hexdigit()), "{known}");
    assert_eq!(linux_id(&host()), known, "the same facts make the same id");
    assert!(linux_id(&HostFacts { landlock_abi: None, ..host() }).contains("-landlock-unknown-"));
}

#[test]
fn hosts_that_differ_in_any_fact_of_the_id_differ_in_the_id() {
    let hosts = [
        host(),
        HostFacts { landlock_errata: Some(vec![]), ..host() },
        HostFacts { landlock_errata: Some(vec![1, 2]), ..host() },
        HostFacts { lsms: Some(vec!["landlock".into()]), ..host() },
        HostFacts { lsms: Some(vec!["landlock".into(), "bpf".into()]), ..host() },
        // What the readable part would show alike.
        HostFacts { kernel_release: Some("6.18.44-a_b/c".into()), ..host() },
    ];
    let ids: std::collections::BTreeSet<String> = hosts.iter().map(linux_id).collect();
    assert_eq!(ids.len(), hosts.len(), "{ids:?}");
    // What is no part of the id does not change it.
    assert_eq!(
        linux_id(&HostFacts { fixture_fs: Some("ext4".into()), uid_class: "root".into(), ..host() }),
        linux_id(&host())
    );
}

#[test]
fn any_mac_has_a_world_of_its_own() {
    let document = document(include_str!("../../registries/worlds/macos-host.json"));
    let declared = WorldId::new("macos-host").unwrap();
    let of = |host: &HostFacts| id(&declared, Some(&document), host).unwrap().to_string();
    let newer = HostFacts { product_version: Some("15.6.1".into()), product_build: Some("24G90".into()), ..mac() };
    assert!(of(&newer).starts_with("macos-15.6.1-24G90-arm64-"), "{}", of(&newer));
    assert_ne!(of(&newer), of(&mac()));
    let found = check(&declared, Some((&document, Digest::of(b"document"))), &newer);
    assert!(found.matches);
    assert_eq!(found.clean_channels, [ChannelKind::LaunchdClean]);
    assert!(!check(&declared, Some((&document, Digest::of(b"document"))), &host()).matches);
}

#[test]
fn a_label_stays_and_no_label_is_the_home_baseline() {
    let label = WorldId::new("my-world").unwrap();
    assert_eq!(id(&label, None, &host()).unwrap(), label);
    let home = declared(None);
    assert_eq!(home.as_str(), HOME_WORLD);
    assert_eq!(declared(Some(&label)), label);
    assert_eq!(id(&home, Some(&sonoma()), &mac()).unwrap(), home, "its suffix is a label, not made of facts");
}

#[test]
fn a_world_matches_if_all_its_facts_are_as_it_says() {
    let digest = Digest::of(b"document");
    let check = |host: &HostFacts| check(&declared(None), Some((&sonoma(), digest)), host);
    let good = check(&mac());
    assert!(good.matches && good.facts.len() == 4 && good.document_sha256 == Some(digest));
    assert_eq!(good.clean_channels, [ChannelKind::LaunchdClean]);
    for (spoilt, bad) in [
        ("product_build", HostFacts { product_build: Some("23E225".into()), ..mac() }),
        ("product_build", HostFacts { product_build: None, ..mac() }),
        ("arch", HostFacts { arch: Some("x86_64".into()), ..mac() }),
        ("product_version", HostFacts { product_version: Some("10.16".into()), ..mac() }),
    ] {
        let found = check(&bad);
        let wrong: Vec<&str> = found.facts.iter().filter(|fact| !fact.ok).map(|fact| fact.name.as_str()).collect();
        assert_eq!(wrong, [spoilt]);
        assert!(!found.matches);
    }
    assert!(!check(&host()).matches);
}

#[test]
fn an_unknown_world_matches_nothing_and_has_no_clean_channel() {
    let found = check(&WorldId::new("my-world").unwrap(), None, &host());
    assert!(!found.matches && found.document_sha256.is_none() && found.clean_channels.is_empty());
    let empty = WorldFile { match_facts: std::collections::BTreeMap::new(), ..linux() };
    assert!(!check(&declared(None), Some((&empty, Digest::of(b""))), &host()).matches);
}

#[test]
fn this_host_is_observed() {
    let facts = observe(MeasuredFacts { landlock_abi: Some(7), ..MeasuredFacts::default() });
    assert_eq!(facts.os, std::env::consts::OS);
    assert!(facts.kernel_release.is_some() && facts.arch.is_some());
    assert_eq!(linux().schema_version, "sandproof.world.v1");
}

#[test]
fn the_emulated_mac_of_the_tests_is_no_world_but_its_own_and_no_mac_is_that_world() {
    let emulated = HostFacts { product_build: Some(DOUBLE_BUILD.to_string()), ..mac() };
    let matches = |id: &str, document: &WorldFile, host: &HostFacts| {
        check(&WorldId::new(id).unwrap(), Some((document, Digest::of(b"d"))), host).matches
    };
    let any_mac = document(include_str!("../../registries/worlds/macos-host.json"));
    assert!(matches("macos-host", &any_mac, &mac()));
    assert!(!matches("macos-host", &any_mac, &emulated), "a world of any Mac is none of the double");
    // A document that was changed to describe the double does not make the home baseline of it.
    let mut home = sonoma();
    home.match_facts.insert("product_build".to_string(), DOUBLE_BUILD.to_string());
    assert!(!matches(home.world_id.as_str(), &home, &emulated));
    let mut own = any_mac.clone();
    own.world_id = WorldId::new(DOUBLE_WORLD).unwrap();
    own.derive_id.clear();
    assert!(matches(DOUBLE_WORLD, &own, &emulated));
    assert!(!matches(DOUBLE_WORLD, &own, &mac()), "a Mac is not the double");
}
