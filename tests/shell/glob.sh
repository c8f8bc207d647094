# Path names.
t=/tmp/shglob.$$; mkdir $t; cd $t
touch a b c ab abc .hid 'sp ace' '[x]' 'st*r'; mkdir d e; touch d/1 d/2 e/1 d/.h
echo *
echo a*
echo ?
echo ??
echo [ab]
echo [!ab]
echo [a-c]*
echo .h*
echo nomatch*
echo "*" '*' \*
echo d/* */1 */*
echo */
echo d/*/
echo 'a'*
echo "a"?
x='a*'; echo $x "$x"
set -f; echo *; set +f; echo a*
for f in *c*; do echo "<$f>"; done
echo \[x\] '['x* 
ls -d st\**
y=*; echo "$y"
case * in '*') echo lit;; esac
echo /dev/nul[l]
echo $t/a* | sed "s|$t|T|g"
echo ./a*
echo {a,b}
echo ~root | wc -w
HOME=/h; echo ~ ~/x "~" a~ '~'/x ~nosuchuser
p=~/q; echo $p; p=a:~/r; echo $p
echo [[:digit:]]* [[:alpha:]]
echo *[!c]
echo ''*
cd /; rm -r $t
