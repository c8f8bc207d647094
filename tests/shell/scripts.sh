# Whole scripts, -c arguments, stdin.
sh -c 'echo $0 $1 $2 $#' name a b
sh -c 'echo "$@"' x 'a b' c
echo 'echo from stdin $1 $#' | sh -s p q
t=/tmp/shscript.$$
printf 'echo "script $1"\nexit 4\n' > $t
sh $t arg; echo $?
chmod +x $t; $t arg2; echo $?
printf '#!/bin/sh\necho "hashbang $#"\n' > $t; $t 1 2 3
rm $t
sh -c 'echo $-' | grep -c c
primes() { n=2; while [ $n -lt $1 ]; do d=2; p=1; while [ $((d*d)) -le $n ]; do
  [ $((n % d)) = 0 ] && { p=0; break; }; d=$((d+1)); done; [ $p = 1 ] && printf '%d ' $n; n=$((n+1)); done; echo; }
primes 60
fib() { a=0 b=1; for i in $(seq $1); do c=$((a+b)); a=$b b=$c; done; echo $a; }
fib 50
rev() { s=$1 r=; while [ -n "$s" ]; do r=${s%"${s#?}"}$r; s=${s#?}; done; echo "$r"; }
rev 'hello world'
join() { d=$1; shift; o=; for x; do o=$o${o:+$d}$x; done; echo "$o"; }
join , a 'b c' d
count=0; while read -r line; do count=$((count+1)); done <<END
1
2

4
END
echo $count
list=; for i in 3 1 2; do list="$i
$list"; done; echo "$list" | sort | tr '\n' ' '; echo
if [ "$(printf '%s' abc | wc -c)" -eq 3 ] && ! [ -e /nonexistent ]; then echo both; fi
x=$(cat <<E
in subst
E
)
echo "$x"
echo "$(case a in a) echo paren-in-case;; esac)"
echo "$(echo ')')" "$(echo "(")"
echo $(( $(echo 1) + $( (echo 2) ) ))
y=`printf '%s' "a \"b\" \\\\\\\\c"`; printf '%s\n' "$y"
echo "a$(echo "b$(echo "c$(echo d)")")"
z='$(echo no)'; echo "$z"
seq 1 5 | { s=0; while read n; do s=$((s+n)); done; echo $s; }
{ echo 1; echo 2; } | (while read n; do echo "<$n>"; done) | cat
i=0; until [ $i -ge 3 ]; do i=$((i+1)); done; echo $i
a='x y'; b="$a"; c=$a; echo "$b" "$c"
LC_ALL=C; export LC_ALL; env | grep -c '^LC_ALL='
unset PATH_BACKUP; PATH_BACKUP=$PATH; PATH=/nonexistent; ls 2>/dev/null; echo $?; PATH=$PATH_BACKUP
: "${long:=$(seq 1 2000 | tr '\n' ' ')}"; echo ${#long}
echo "$long" | wc -w
big=$(seq 1 20000); echo ${#big}
cat <<E | tail -n 1
$(seq 1 5000)
E
[ "$(echo "$big" | tail -n 1)" = 20000 ] && echo big ok
