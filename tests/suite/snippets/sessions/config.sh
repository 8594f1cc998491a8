# A configuration of both dialects, and nobody in its store.
export JWT_SECRET="$(openssl rand -base64 48)" PASSWORD='correct horse 1'
cat > portcullis.yaml <<'END'
listeners:
  - address: 127.0.0.1:8080
admin: { address: 127.0.0.1:9090 }
store: { url: sqlite://data/portcullis.db }
jwt: { secret: "${JWT_SECRET}" }
upstreams:
  processing: { endpoints: [http://127.0.0.1:9001] }
apis:
  - name: open-api
    dialect: ocriva
    prefixes: [/v1, /api/v1]
    rate_limit: { requests: 60, per: 1m }
    routes:
      - { path: /v1/openapi/processing-history/**, project: { in: query }, upstream: processing }
      - { path: /v1/openapi/**, upstream: processing }
  - name: ocore
    dialect: ocore
    prefixes: [/api]
    routes:
      - { path: /api/servers/**, require: { permissions: ["view:servers"] }, upstream: processing }
  - name: plain
    dialect: problem
    prefixes: [/plain]
    routes:
      - { path: /plain/**, upstream: processing }
telemetry: { access_log: { path: access.log } }
END
