# An organization with an owner, a member, a project and a key; another one of the same owner's.
export KEY="ocr_$(openssl rand -hex 32)"
cat > house.yaml <<END
organizations:
  - id: 68da2880b45d7a01d90a3c51
    slug: my-org
    name: My Org
    projects:
      - { id: receipts-1, name: Receipt Scanning }
      - { id: invoices-1, name: Invoices }
    members:
      - { email: owner@example.com, name: Olga, password: "$PASSWORD", role: owner }
      - { email: somebody@example.com, name: Sam, password: "$PASSWORD", role: viewer }
    tokens:
      - { name: CI, type: organization, permissions: [read], scopes: [documents], value: "$KEY" }
  - id: 68da2880b45d7a01d90a3c52
    slug: second-org
    name: Second Org
    members:
      - { email: owner@example.com, name: Olga, role: owner }
END
portcullis import --config portcullis.yaml house.yaml
