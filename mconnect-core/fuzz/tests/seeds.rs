//! Every property holds for every seed, and each target has some.

use std::fs;
use std::path::Path;

#[test]
fn every_property_holds_for_its_seeds() {
    for (name, holds) in mconnect_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).expect("each target has seeds") {
            let path = entry.expect("the folder is readable").path();
            let data = fs::read(&path).expect("seeds are readable");
            // A failure names the seed: the last one printed.
            println!("{}", path.display());
            holds(&data);
            for end in [data.len() / 3, data.len() / 2, data.len().saturating_sub(1)] {
                holds(&data[..end]);
            }
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} seeds");
    }
}

#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let manifest = include_str!("../Cargo.toml");
    let bins: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("name = ")).skip(1).collect();
    let names: Vec<String> = mconnect_fuzz::TARGETS.iter().map(|(name, _)| format!("{name:?}")).collect();
    assert_eq!(bins, names);
}
