"""Databases as earlier versions of Casebook left them, and their upgrade to this one.

Each file here is what the version it is named after holds once its evidence is loaded, written by
its own code; `0.1.0-to-0.4.0.json` is a database of 0.1.0 upgraded to 0.4.0 by the code of 0.4.0.
They were made so, for a version and its last commit, from this repository:

    git worktree add ../then 3f3d294 && cd ../then
    export CASEBOOK_SECRET_KEY=x DATABASE_URL=sqlite:////tmp/then.sqlite3
    python manage.py migrate && python manage.py load_evidence
    cd - && python -m tests.upgrades.write 0.4.0 3f3d294 /tmp/then.sqlite3

The last commits: 0.1.0 f119099, 0.2.0 f763db6, 0.3.0 157ade5, 0.4.0 3f3d294, 0.5.0 d00b1fa,
0.6.0 e3ade57, 0.7.0 dfe3549. When a version is finished, its file is made and added here.
"""
