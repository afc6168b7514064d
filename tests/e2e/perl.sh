#!/bin/sh
# perl.sh - perl: hashes, regular expressions, closures, sorting, fork.

. "${0%/*}/lib.sh"
. "$SRCDIR/tests/e2e/programs.sh"

PERL_HASH_SEED=0
export PERL_HASH_SEED
cat >work.pl <<'END'
use strict;
use warnings;
my ($seed, %count, @words, @closures) = (1);
sub random { $seed = ($seed * 1103515245 + 12345) % 2147483648; $seed }
for my $i (1 .. 40000) {
	my $word = join '', map { chr(97 + random() / 8 % 26) } 1 .. 2 + $i % 9;
	push @words, $word;
	$count{substr $word, 0, 3}++;
}
my $text = join ' ', @words;
my $vowels = () = $text =~ /[aeiou]+/g;
(my $swapped = $text) =~ s/(\w)(\w+)/$2$1/g;
my @sorted = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
push @closures, do { my $n = $_; sub { $n += shift } } for 1 .. 5000;
my $total = 0;
$total += $closures[$_]->($_) for 0 .. $#closures;
print "$vowels $total ", scalar(@sorted), " @sorted[0 .. 9]\n";
print unpack('%32C*', $swapped), "\n";
$| = 1;
my $pid = fork() // die;
if (!$pid) { print "child ", scalar(keys %count), "\n"; exit 3 }
waitpid $pid, 0;
print "child said ", $? >> 8, "\n";
END

same perl perl work.pl
finish
