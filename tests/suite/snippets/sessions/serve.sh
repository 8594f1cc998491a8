# The gateway of portcullis.yaml, and a backend that says what reached it.
python3 "$ROOT/tests/suite/snippets/sessions/backend.py" 127.0.0.1:9001 &
portcullis serve --config portcullis.yaml --pid-file pid > serve.log 2>&1 &
ready $! http://127.0.0.1:9090/readyz
ready $$ http://127.0.0.1:9001/
