//! `cargo xtask sbom`: a bill of materials of the library and of the command line, in the form of
//! CycloneDX.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};
use serde_json::{Value, json};

use crate::Outcome;
use crate::run::{WORKSPACES, metadata};

/// The packages that users get.
const PRODUCTS: [&str; 2] = ["greentic-session", "greentic-session-cli"];

/// Writes `target/{product}.cdx.json` for each product: all that is compiled into it with all features,
/// and what it is built with, without what only its tests need.
pub fn run() -> Outcome {
    let metadata = metadata(WORKSPACES[0])?;
    for name in PRODUCTS {
        let bill = bill_of(&metadata, name)?;
        let path = format!("target/{name}.cdx.json");
        let text = serde_json::to_string_pretty(&bill).map_err(|error| error.to_string())?;
        fs::write(&path, text + "\n").map_err(|error| format!("{path}: {error}"))?;
        let count = bill["components"].as_array().map_or(0, Vec::len);
        println!("{path}: {count} components");
    }
    Ok(())
}

fn bill_of(metadata: &Metadata, name: &str) -> Result<Value, String> {
    let mut packages = metadata.workspace_packages().into_iter();
    let product = packages.find(|package| package.name == name);
    let product = product.ok_or_else(|| format!("the workspace has no package {name}"))?;
    let uses = uses_of(metadata, &product.id)?;
    let mut components: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| package.id != product.id && uses.contains_key(&package.id))
        .collect();
    components.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
    let reference =
        |id: &PackageId| metadata[id].name.to_string() + "@" + &version_of(metadata, id);
    let dependencies: Vec<_> = uses
        .iter()
        .map(|(id, used)| {
            let used: Vec<_> = used.iter().map(reference).collect();
            json!({"ref": reference(id), "dependsOn": used})
        })
        .collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(product)},
        "components": components.into_iter().map(component).collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

fn version_of(metadata: &Metadata, id: &PackageId) -> String {
    metadata[id].version.to_string()
}

/// What a package and those below it use, apart from what tests need.
fn uses_of(
    metadata: &Metadata,
    product: &PackageId,
) -> Result<BTreeMap<PackageId, BTreeSet<PackageId>>, String> {
    let resolve = metadata.resolve.as_ref();
    let resolve = resolve.ok_or("cargo resolved no dependencies")?;
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let (mut uses, mut open) = (BTreeMap::new(), vec![product.clone()]);
    while let Some(id) = open.pop() {
        if uses.contains_key(&id) {
            continue;
        }
        let node = nodes
            .get(&id)
            .ok_or_else(|| format!("{id} is not resolved"))?;
        let needed = node.deps.iter().filter(|used| {
            let mut kinds = used.dep_kinds.iter();
            kinds.any(|kind| kind.kind != DependencyKind::Development)
        });
        let used: BTreeSet<_> = needed.map(|used| used.pkg.clone()).collect();
        open.extend(used.iter().cloned());
        uses.insert(id, used);
    }
    Ok(uses)
}

fn component(package: &Package) -> Value {
    let (name, version) = (package.name.to_string(), package.version.to_string());
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("{name}@{version}"),
        "name": name,
        "version": version,
    });
    if let Some(license) = &package.license {
        // Some old packages write a slash for OR, which is no expression of SPDX.
        let expression = license.replace('/', " OR ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if package.source.is_some() {
        component["purl"] = json!(format!("pkg:cargo/{name}@{version}"));
    }
    component
}
