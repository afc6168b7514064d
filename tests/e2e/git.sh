#!/bin/sh
# git.sh - a repository made, branched, merged, repacked and read back: every
# object name is a hash of content, so one wrong byte shows.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

HOME=$tmp GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_AUTHOR_DATE='1700000000 +0000'
GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@d
GIT_COMMITTER_DATE='1700000000 +0000'
export HOME GIT_CONFIG_NOSYSTEM GIT_PAGER GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL
export GIT_AUTHOR_DATE GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
export GIT_COMMITTER_DATE

cat >work.sh <<'END'
set -e
rm -rf repo
git init -q -b main repo
cd repo
git config gc.auto 0
git config pack.threads 2
cp -r ../content/. .
git add .
git commit -q -m 'everything'
git checkout -q -b side
for f in $(ls | head -n 20); do sed -i 's/e/E/g' "$f"; done
git commit -q -a -m 'side'
git checkout -q main
ls | tail -n 20 | while read -r f; do echo more >>"$f"; done
git commit -q -a -m 'main'
git merge -q -m 'merge' side
git repack -q -a -d -f
git fsck --strict
git rev-parse HEAD
git log --stat --format=%H | cksum
git diff HEAD~1 HEAD | cksum
git grep -c E | tail -n 3
git blame "$(ls | head -n 1)" | cksum
git archive HEAD | tar -t | wc -l
git clone -q . ../copy 2>/dev/null
git -C ../copy status --short
rm -rf ../copy
END

mkdir content
awk 'BEGIN { for (f = 0; f < 120; f++) for (l = 0; l < 60 + f; l++)
	print f * l % 97, "line of the file", l >("content/file-" f) }'

modes="off default fine"
same git sh work.sh
finish
