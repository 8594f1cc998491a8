-- A random number for each change: of two with one sequence, in a database that was put back to an earlier state, it tells
-- which is which. NULL where an older version made it.
ALTER TABLE changes ADD COLUMN mark INTEGER;
