# for, while, until, break, continue.
for i in a b c; do echo $i; done
for i in; do echo never; done
for i
do echo never; done
set -- x y
for i do echo $i; done
for i
in p q
do
  echo $i
done
i=0
while [ $i -lt 5 ]; do
  i=$((i+1))
  [ $i = 2 ] && continue
  [ $i = 4 ] && break
  echo $i
done
until [ $i = 0 ]; do i=$((i-1)); echo -n "$i "; done; echo
for a in 1 2 3; do for b in x y z; do
  [ $b = y ] && continue 2
  [ $a = 3 ] && break 2
  echo $a$b
done; done
for a in 1 2; do while true; do break; done; echo $a; done
while true; do
  if true; then break; fi
done
echo after $?
for i in 1 2 3; do echo $i; done | while read n; do echo "n=$n"; done
for i in 1 2; do echo $i; done > /tmp/shtest.$$; cat /tmp/shtest.$$; rm /tmp/shtest.$$
n=3; while n=$((n-1)); [ $n -ge 0 ]; do echo $n; done
for x in "a b" c; do echo "<$x>"; done
for x in $(echo 1 2 3); do echo $((x*2)); done
f() { for q in 1 2 3; do [ $q = 2 ] && return 5; echo $q; done; }
f; echo $?
while :; do (break) ; echo once; break; done
for i in 1 2 3; do case $i in 2) continue;; esac; echo $i; done
while false; do :; done; echo $?
for i in 1; do false; done; echo $?
i=0; while [ $((i=i+1)) -lt 4 ]; do :; done; echo $i
