' conda execute
' env: ['python']
'  # a note
WScript.Echo 1
