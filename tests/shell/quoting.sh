# Quotes, escapes, and what survives them.
echo 'a  b' "c  d" e\ \ f
printf "%s\n" "x\"y\$z\`w\\v\q" 'it'\''s'
echo "" | wc -c
echo a""b ''c
echo "a
b"
echo con\
tinued "quo\
ted"
set -- "" ''
echo $#
set -- a"" ""b
echo $#
x='a "b" c'
echo $x "$x"
echo "${x}" "${x}y"
echo \$x '$x' "\$x"
echo \\ \' \" \# a#b "#" # comment
echo "nested $(echo "in $(echo 'deep "q"')") out"
echo `echo one \`echo two\``
echo "`echo "a  b"`"
echo '`' "'" '"'
printf '%s|' "a b" c 'd e'; echo
echo -- "-n"
printf '%s\n' "\a" '\b' | cat
echo "$" "a$" $ a$
case "a b" in "a b") echo quoted-case;; esac
echo "*" '?' \[
echo "tab	end"
