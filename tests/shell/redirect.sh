# Redirections.
t=/tmp/shredir.$$; mkdir $t; cd $t
echo one > a; cat a
echo two >> a; cat a
cat < a
echo err >&2 2>/dev/null
{ echo out; echo err >&2; } > o 2> e; cat o; cat e
{ echo out; echo err >&2; } > both 2>&1; cat both
{ echo out; echo err >&2; } 2>&1 >/dev/null | cat
exec 3> three; echo to-three >&3; exec 3>&-; cat three
exec 4< a; read x <&4; read y <&4; echo $x $y; exec 4<&-
echo fd5 5> f5 >&5; cat f5
cat <<X
here $x
 $(echo sub) \$esc "quotes" 'single' `echo bq` $((1+1))
X
cat <<'X'
raw $x $(echo sub) \$esc
X
cat <<-X
	tabs stripped
	  $x
	X
cat <<A; cat <<B
first
A
second
B
cat <<X | tr a-z A-Z
upper
X
while read l; do echo "[$l]"; done <<X
l1
l2
X
(cat <<X
in subshell
X
)
f() { cat <<X
in function $1
X
}
f 1; f 2
cat <<"E O"
spaced delimiter
E O
cat <<X
a\
b
X
> empty; wc -c < empty
: > empty2; [ -f empty2 ] && echo created
cat < nonexistent 2>/dev/null || echo failed
echo x 2>/dev/null > /nonexistent/dir || echo failed
echo ok 2>/dev/null > p; cat p
echo multi > m1 > m2; cat m1 m2
set -C; echo clobber 2>/dev/null > p || echo kept; echo forced >| p; cat p; set +C
echo a 1>&2 2>/dev/null
echo dup 6>&1 >&6
read v < a; echo $v
if true; then echo ifout; fi > i; cat i
for i in 1 2; do echo $i; done > l; cat l
(echo s1; echo s2 >&2) > s 2>&1; cat s
cat <> a
echo "x" > "sp ace"; cat sp*
v=f.txt; echo var > $v; cat $v
echo 2>&1 | cat
cat 0< a
exec 7<&0; exec 7<&-
ls nosuch >/dev/null 2>&1 || echo lsfail
echo close >&- 2>/dev/null; echo $?
command : > colon; ls colon
cd /; rm -r $t
