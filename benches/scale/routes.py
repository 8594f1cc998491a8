"""Configurations with many routes: as in `routes.rs`, half of the APIs have a host of their own, five routes a resource."""

RESOURCES = 10
OF_RESOURCE = 5


def shape(routes):
    """How many APIs, and how many resources in each."""
    resources = max(1, min(RESOURCES, routes // OF_RESOURCE // 2))
    return routes // OF_RESOURCE // resources, resources


def apis(routes):
    """The section `apis` of a configuration with so many routes, which need no key."""
    count, resources = shape(routes)
    lines = ["apis:"]
    for api in range(count):
        host, prefix = (f"service-{api}.example.com", "/v1") if api % 2 else (None, f"/service-{api}/v1")
        lines += [f"  - name: api-{api}", "    dialect: problem", "    identity: none", f"    prefixes: [{prefix}]"]
        lines += [f"    hosts: [{host}]"] if host else []
        lines.append("    routes:")
        for resource in range(resources):
            path = f"{prefix}/resource-{resource}"
            for tail, methods in (
                ("", "methods: [GET], "),
                ("", "methods: [POST], "),
                ("/{id}", ""),
                ("/{id}/parts/{part}", "methods: [GET, PUT], "),
                ("/files/**", ""),
            ):
                lines.append(f'      - {{ path: "{path}{tail}", {methods}upstream: service, auth: none }}')
    return "\n".join(lines) + "\n"
