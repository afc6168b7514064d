# programs.sh - real programs on made-up inputs; a part of run.sh, in whose
# temporary folder it works.

HOME=$tmp GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
export HOME GIT_CONFIG_NOSYSTEM GIT_PAGER

# source_make FUNCTIONS: a C source with so many of some length
source_make() {
	awk -v functions="$1" 'BEGIN {
	print "struct s { int a, b; unsigned long c[8]; struct s *next; };"
	for (f = 0; f < functions; f++) {
		printf "unsigned long f%d(struct s *s, int n)\n{\n" \
		    "\tunsigned long r = %d;\n", f, f * 7919 % 10007
		for (i = 0; i < 6; i++)
			printf "\tfor (int i = 0; i < n + %d; i++) {\n" \
			    "\t\tswitch (s->a + i) {\n\t\tcase %d: r += " \
			    "s->c[i & 7] * %d; break;\n\t\tcase %d: r ^= " \
			    "s->b << (i & 15); break;\n\t\tdefault: s->c[" \
			    "(i + %d) & 7] = r >> 3;\n\t\t}\n\t\tif (r & %d)" \
			    "\n\t\t\ts = s->next;\n\t}\n", i, f % 13, i + 3,
			    f % 13 + i + 1, f % 5, i + 1
		if (f > 0)
			printf "\tr += f%d(s, n - 1);\n", f - 1
		print "\treturn r;\n}"
	}
	}' >source.c
}

# lines_make LINES
lines_make() {
	awk -v lines="$1" 'BEGIN { s = 1; for (i = 0; i < lines; i++) {
		s = (s * 16807) % 2147483647; print s, i, s % 97 } }' >lines
}

sql_make() {
	cat >work.sql <<-END
	CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT);
	WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c
	    WHERE i < $1)
	INSERT INTO t SELECT i, printf('row-%d', i * 7919 % 30011), i % 97
	    FROM c;
	CREATE INDEX x ON t(name);
	SELECT n, count(*), max(name) FROM t GROUP BY n ORDER BY 2 DESC LIMIT 5;
	SELECT count(*) FROM t a JOIN t b ON a.name = b.name WHERE a.n < 40;
	UPDATE t SET name = name || '-' || n WHERE n % 3 = 0;
	DELETE FROM t WHERE n % 5 = 0;
	END
}

perl_make() {
	cat >work.pl <<-'END'
	my %h; my $n = shift;
	for my $i (1 .. $n) {
		push @{ $h{$i * 7919 % 4099} }, "value $i" x ($i % 9);
	}
	my %words;
	for my $list (values %h) {
		$words{$_}++ for map { split / / } @$list;
	}
	print join ',', map { "$_ $words{$_}" } (sort keys %words)[0 .. 9];
	END
}

# repository_make FILES
repository_make() {
	mkdir -p repo
	git init -q repo
	for commit in 1 2 3; do
		awk -v files="$1" -v c=$commit 'BEGIN {
		for (f = 0; f < files; f++) {
			name = "repo/file-" f
			for (l = 0; l < 200 + f % 50; l++)
				print f * l % (97 + c), "line", l >name
			close(name)
		} }'
		git -C repo add .
		git -C repo -c user.name=a -c user.email=a@b commit -q \
			-m "commit $commit"
	done
	cat >git.sh <<-'END'
	set -e
	cd repo
	git -c pack.threads=2 repack -q -a -d -f --window=50
	git log --stat >/dev/null
	git diff HEAD~2 HEAD >/dev/null
	git grep -c 1 >/dev/null
	END
}

# The server alone is measured: the client is nobody's child, and ends it.
redis_make() {
	cat >redis.sh <<-END
	socket=\$(mktemp -u "$tmp/redis.XXXXXX")
	(
		unset LD_PRELOAD MALLOC_CONF
		until [ "\$(redis-cli -s "\$socket" ping 2>&1)" = PONG ]; do
			sleep 0.01
		done
		redis-benchmark -s "\$socket" -q -n $1 -c 20 -P 8 -r 20000 \\
			-d 200 -t set,get,incr,lpush,rpop,sadd,hset,zadd,mset
		redis-cli -s "\$socket" shutdown nosave
	) >/dev/null 2>&1 &
	exec redis-server --port 0 --unixsocket "\$socket" --save '' \\
		--dir "$tmp" --daemonize no
	END
}

if wanted redis; then
	redis_make "$(n 40000)"
	# The shell that becomes the server; what waits for it waits for that.
	row programs redis sh redis.sh
fi
rounds=$(n 2)
row programs python3 python3 "$SRCDIR/tests/e2e/python_work.py" "$rounds"
row programs python3-malloc env PYTHONMALLOC=malloc python3 \
	"$SRCDIR/tests/e2e/python_work.py" "$rounds"
source_make "$(n 40)"
row programs gcc gcc -O2 -g -c -o source.o source.c
sql_make "$(n 60000)"
row programs sqlite3 sqlite3 -batch -init work.sql :memory: .quit
if wanted git; then
	repository_make "$(n 300)"
	row programs git sh git.sh
fi
lines_make "$(n 300000)"
row programs xz xz -T2 -1 --block-size=1MiB -kfc lines
head -n "$(n 60000)" lines >few
row programs xz-6 xz -T1 -6 -kfc few
perl_make
row programs perl perl work.pl "$(n 100000)"
