# A script on standard input shares it with the commands it runs.
printf 'echo one\nread x\nthis is data\necho "got $x"\n' | sh
printf 'cat\nrest of\ninput\n' | sh
t=/tmp/shstdin.$$
printf 'read x\ndata line\necho "x=$x"\n' > $t; sh < $t
printf 'head -c 5\nabcd\necho rest\n' | sh
rm $t
set --; echo "${@-unset}" "${*:-empty}"
