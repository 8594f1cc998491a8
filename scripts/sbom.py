#!/usr/bin/env python3
"""What the program is made of: a CycloneDX document, or the texts of all licences.

    scripts/sbom.py                 the document, on standard output
    scripts/sbom.py --licences      the texts, for THIRD-PARTY.txt
    scripts/sbom.py --target T      the same for another of Rust's targets than x86_64-unknown-linux-gnu
    scripts/sbom.py --allowed       nothing; fails where the console needs a package under a licence that deny.toml does not allow

It says the same for the same sources, on any machine and at any time: sorted, without a date. Counted are the crates that are
linked into the release for Linux, the C libraries that some of them bring along, and the packages that the console needs when
it runs; not what only builds or tests it. Cargo.lock and package-lock.json say which versions, and their hashes. The licences'
texts need console/node_modules.
"""

import argparse
import base64
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Libraries in C that a crate has in it: their folder, and the file that says which version; where none does, the crate's own
# version has it.
BUNDLED = {
    "libsqlite3-sys": ("SQLite", "sqlite3", "sqlite3.h", r'#define SQLITE_VERSION\s+"([^"]+)"', "blessing"),
    "aws-lc-sys": ("AWS-LC", "aws-lc", "include/openssl/base.h", r'#define AWSLC_VERSION_NUMBER_STRING\s+"([^"]+)"', "ISC AND Apache-2.0"),
    "tikv-jemalloc-sys": ("jemalloc", "jemalloc", None, r"\+([0-9.]+)", "BSD-2-Clause"),
}
LICENCE_FILE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense|authors)", re.IGNORECASE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--licences", action="store_true", help="the texts of the licences instead")
    parser.add_argument("--target", default="x86_64-unknown-linux-gnu", help="one of Rust's targets")
    parser.add_argument("--allowed", action="store_true", help="only whether the licences of the console's packages are allowed")
    options = parser.parse_args()
    if options.allowed:
        return allowed(npm_parts())
    root, crates = cargo_parts(options.target)
    parts = crates + npm_parts()
    if options.licences:
        sys.stdout.write(licence_texts(parts))
    else:
        json.dump(document(root, parts), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")


def allowed(parts):
    """cargo-deny judges crates; the same list is for the console's packages."""
    allow = set(tomllib.loads((ROOT / "deny.toml").read_text())["licenses"]["allow"])
    for part in parts:
        choices = re.split(r"\s+OR\s+", (part["licence"] or "none").strip("()"))
        if not any(all(one.strip("() ") in allow for one in re.split(r"\s+AND\s+", choice)) for choice in choices):
            sys.exit(f"{part['name']} {part['version']} is under {part['licence']}, which deny.toml does not allow")
    return None


def cargo_parts(target):
    """The program itself, and the crates that are linked into it for a target."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target, "--features", "jemalloc"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    sums = checksums()

    def linked(node):
        """What a crate links: its usual dependencies, without those that run in the compiler."""
        for dependency in node["deps"]:
            package = packages[dependency["pkg"]]
            macro = any("proc-macro" in one["kind"] for one in package["targets"])
            if not macro and any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                yield dependency["pkg"]

    root, seen = metadata["resolve"]["root"], set()
    rest = [root]
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest.extend(linked(nodes[one]))
    parts = [crate(packages[one], [packages[two] for two in linked(nodes[one])], sums) for one in seen]
    own = next(part for part in parts if part["name"] == packages[root]["name"])
    return own, sorted((part for part in parts if part is not own), key=lambda part: part["purl"])


def checksums():
    lock = (ROOT / "Cargo.lock").read_text()
    found = re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([^"]+)"', lock)
    return {(name, version): checksum for name, version, checksum in found}


def crate(package, needs, sums):
    folder = pathlib.Path(package["manifest_path"]).parent
    checksum = sums.get((package["name"], package["version"]))
    return {
        "name": package["name"],
        "version": package["version"],
        "purl": cargo_purl(package),
        # Some still write a slash for "or".
        "licence": " ".join((package["license"] or "").replace("/", " OR ").split()) or None,
        "hash": ("SHA-256", checksum) if checksum else None,
        "needs": sorted(cargo_purl(one) for one in needs),
        "bundled": bundled(package, folder),
        "folder": folder,
    }


def cargo_purl(package):
    return f"pkg:cargo/{package['name']}@{package['version'].replace('+', '%2B')}"


def bundled(package, folder):
    if package["name"] not in BUNDLED:
        return None
    library, below, file, pattern, licence = BUNDLED[package["name"]]
    text = (folder / below / file).read_text() if file else package["version"]
    return {
        "name": library,
        "version": re.search(pattern, text).group(1),
        "licence": licence,
        "folder": folder / below,
    }


def npm_parts():
    """The packages that the console's scripts are made of."""
    packages = json.loads((ROOT / "console/package-lock.json").read_text())["packages"]

    def place(of, name):
        """Where a package finds another one: beside itself, or further up."""
        while True:
            here = f"{of}/node_modules/{name}" if of else f"node_modules/{name}"
            if here in packages or not of:
                return here
            of = of.rpartition("/node_modules/")[0]

    def needs(at):
        return [place(at, name) for name in packages[at].get("dependencies", {})]

    seen, rest = set(), needs("")
    while rest:
        one = rest.pop()
        if one not in seen:
            seen.add(one)
            rest.extend(needs(one))
    parts = [npm_package(at, packages[at], [(two, packages[two]) for two in needs(at)]) for at in seen]
    return sorted(parts, key=lambda part: part["purl"])


def npm_package(at, package, needs):
    kind, _, digest = package["integrity"].partition("-")
    return {
        "name": npm_name(at),
        "version": package["version"],
        "purl": npm_purl(at, package),
        "licence": package.get("license"),
        "hash": ({"sha512": "SHA-512"}[kind], base64.b64decode(digest).hex()),
        "needs": sorted({npm_purl(*one) for one in needs}),
        "bundled": None,
        "folder": ROOT / "console" / at,
    }


def npm_name(at):
    return at.rpartition("node_modules/")[2]


def npm_purl(at, package):
    return f"pkg:npm/{npm_name(at).replace('@', '%40')}@{package['version']}"


def document(root, parts):
    program = {
        "type": "application",
        "bom-ref": root["purl"],
        "name": root["name"],
        "version": root["version"],
        "licenses": [{"expression": root["licence"]}],
        "purl": root["purl"],
    }
    direct = json.loads((ROOT / "console/package-lock.json").read_text())["packages"][""]["dependencies"]
    console = [part["purl"] for part in parts if part["purl"].startswith("pkg:npm/") and part["name"] in direct]
    edges = [{"ref": root["purl"], "dependsOn": sorted(root["needs"] + console)}]
    edges += [{"ref": part["purl"], "dependsOn": part["needs"]} for part in parts]
    body = {
        "metadata": {
            "component": program,
            "tools": {"components": [{"type": "application", "name": "scripts/sbom.py", "version": root["version"]}]},
        },
        "components": [component(part) for part in parts],
        "dependencies": edges,
    }
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    schema = {"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6"}
    return {**schema, "serialNumber": f"urn:uuid:{number}", "version": 1, **body}


def component(part):
    made = {
        "type": "library",
        "bom-ref": part["purl"],
        "name": part["name"],
        "version": part["version"],
        "scope": "required",
        "hashes": [{"alg": part["hash"][0], "content": part["hash"][1]}],
        "licenses": [{"expression": part["licence"]}] if part["licence"] else [{"license": {"name": "see its package"}}],
        "purl": part["purl"],
    }
    if part["bundled"]:
        library = part["bundled"]
        made["components"] = [{
            "type": "library",
            "bom-ref": f"{part['purl']}#{library['name']}",
            "name": library["name"],
            "version": library["version"],
            "licenses": [{"expression": library["licence"]}],
        }]
    return made


def is_licence(file):
    return bool(LICENCE_FILE.match(file.name)) and file.is_file() and file.suffix not in (".js", ".json", ".rs")


def licence_texts(parts):
    """Every part with its licence, then every text once, with those that it is the text of."""
    texts, bare = {}, []
    for part in parts:
        # A package that is not there has no text either, and must not pass for one that brings none.
        if not part["folder"].is_dir():
            sys.exit(f"{part['name']} is not installed below {part['folder'].parent}: run scripts/console.sh")
        folders = [part["folder"]] + ([part["bundled"]["folder"]] if part["bundled"] else [])
        files = sorted(file for folder in folders for file in folder.iterdir() if is_licence(file))
        names = f"{part['name']} {part['version']}"
        if not files:
            bare.append(names)
        for file in files:
            text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()
            texts.setdefault(text, []).append(names)
    line = "-" * 80
    out = ["Portcullis has these in it, each under its own licence.", ""]
    for part in parts:
        out.append(f"{part['name']} {part['version']}: {part['licence'] or 'see below'}")
        if part["bundled"]:
            out.append(f"  with {part['bundled']['name']} {part['bundled']['version']}: {part['bundled']['licence']}")
    if bare:
        out += ["", "Packages that bring no text of their licence, which is the usual one of that name:", ""]
        out += [f"  {name}" for name in bare]
    for text, names in sorted(texts.items(), key=lambda one: one[1]):
        out += ["", line, *names, line, "", text]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    main()
