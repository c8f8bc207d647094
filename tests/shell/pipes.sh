# Pipelines and background.
echo a | cat | cat | cat
printf 'c\nb\na\n' | sort | head -n 1
yes 2>/dev/null | head -n 2
seq 1 20000 | tail -n 1
seq 1 20000 | wc -l
false | false | true; echo $?
true | exit 3; echo $?
x=1; echo 5 | read x; echo $x
echo a |
  cat
(sleep 0.05; echo late) & echo early; wait
sleep 0.01 & p=$!; wait $p; echo $?
(exit 7) & wait $!; echo $?
sh -c 'exit 8' & a=$!; sh -c 'exit 9' & b=$!
wait $a; echo $?; wait $b; echo $?
wait 99999999; echo $?
{ echo g1; echo g2; } | { read a; read b; echo $b $a; }
echo x | { cat; echo y; } | wc -l
for i in 1 2 3; do echo $i & wait; done
seq 3 | while read i; do echo $((i*i)); done
kill -l 15; kill -l 130
sleep 100 & kill $!; wait $!; echo $?
sleep 100 & kill -9 $! ; wait $! 2>/dev/null; echo $?
sh -c 'kill -TERM $$'; echo $?
sh -c 'kill -9 $$' ; echo $?
echo "pid $(( $$ > 1 ))"; (echo $(($$ == $(echo $$))))
true & true & true & wait; echo all
cat /dev/null | cat; echo $?
echo "$(echo a; echo b | cat)"
