#!/bin/sh
# sqlite3.sh - the sqlite3 shell: tables, an index, joins, windows and JSON.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

cat >work.sql <<'END'
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price INT, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
    WHERE i < 30000)
INSERT INTO item SELECT i, printf('item-%07d', i * 7919 % 30011),
    i * 31 % 997, zeroblob(i % 300) FROM n;
CREATE INDEX by_name ON item(name);
SELECT count(*), sum(price), sum(length(body)) FROM item;
SELECT price, count(*) c FROM item GROUP BY price ORDER BY c DESC, price
    LIMIT 5;
SELECT a.name, b.price FROM item a JOIN item b ON a.id = b.price * 3
    ORDER BY a.name, b.id LIMIT 7;
SELECT id, sum(price) OVER (ORDER BY name ROWS 10 PRECEDING) s FROM item
    ORDER BY s DESC, id LIMIT 5;
SELECT json_group_array(json_object('n', name, 'p', price))
    FROM (SELECT * FROM item WHERE id % 3000 = 7 ORDER BY id);
UPDATE item SET name = upper(name) || price WHERE price % 3 = 0;
DELETE FROM item WHERE price % 7 = 1;
PRAGMA integrity_check;
SELECT sum(length(name) * id) FROM item;
.dump by_name
END

same "in memory" sqlite3 :memory: ".read work.sql"

modes=fine
same "a file" sh -c 'rm -f f.db && sqlite3 f.db ".read work.sql"'

finish
