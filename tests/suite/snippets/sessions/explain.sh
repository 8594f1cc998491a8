# A key of one project, bound to a network, that is good behind a balancer.
export JWT_SECRET="$(openssl rand -base64 48)" KEY="ocr_$(openssl rand -hex 32)"
cat > portcullis.yaml <<'END'
# The route that page shows stands on line 17.
listeners:
  - address: 127.0.0.1:8080
    trusted_proxies: [10.0.0.0/8]
store: { url: sqlite://data/portcullis.db }
jwt: { secret: "${JWT_SECRET}" }
upstreams:
  processing: { endpoints: [http://127.0.0.1:9001] }
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: { requests: 60, per: 1m }
    routes:
      - path: /v1/openapi/**
        upstream: processing
      - path: /v1/openapi/processing-history/**
        project: { in: query }
        upstream: processing
END
cat > house.yaml <<END
organizations:
  - id: 68da2880b45d7a01d90a3c51
    slug: my-org
    name: My Org
    projects:
      - { id: receipts, name: Receipts }
      - { id: invoices, name: Invoices }
    tokens:
      - { name: mobile, type: project, projectId: receipts, permissions: [read], scopes: [documents],
          value: "$KEY", expiresAt: 2030-01-01T00:00:00Z, ipWhitelist: [10.0.0.0/8] }
END
portcullis import --config portcullis.yaml house.yaml
