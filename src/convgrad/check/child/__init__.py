"""What runs in the child process beside the code under test.

The parent sends small programs (`wire`), the child runs them (`serve`) inside the limits that it
has put on itself (`limits`), and answers with raw arrays. It judges nothing.
"""
