-- What came with a key under names of another part of its system, as a JSON object; NULL when nothing did.
ALTER TABLE tokens ADD COLUMN extras TEXT;
